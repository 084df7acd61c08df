// Byte-pair merging of a very long word in near-linear time: merging pair by pair is quadratic in the length of a word (4 s
// for 100,000 letters). Same ranks, same result.

/**
 * The ranks of the tokens of `word`, a byte string (one character a byte) whose every byte has a rank.
 * `rankOf` must be regular, as `createTokenizer` checks: a merge makes no pair of a lower rank than its own.
 * So one sweep over the ranks does it, each with the places where its pair was seen, left to right.
 */
export function mergeLongWord(word: string, rankOf: ReadonlyMap<string, number>): number[] {
  const length = word.length;
  // A token is known by where it starts: its end, and the start of the token before. Merged-away starts end
  // at 0.
  const end = Int32Array.from({ length }, (_, i) => i + 1);
  const before = Int32Array.from({ length }, (_, i) => i - 1);
  const places: (number[] | undefined)[] = new Array(rankOf.size);

  const pairRank = (start: number): number | undefined => {
    const middle = end[start] as number;
    return middle === 0 || middle >= length ? undefined : rankOf.get(word.slice(start, end[middle]));
  };
  const note = (start: number): void => {
    const rank = pairRank(start);
    if (rank === undefined) return;
    const seen = places[rank];
    if (seen === undefined) places[rank] = [start];
    else seen.push(start);
  };

  for (let start = 0; start < length; start++) note(start);
  for (let rank = 0; rank < places.length; rank++) {
    for (const start of places[rank]?.sort((a, b) => a - b) ?? []) {
      if (pairRank(start) !== rank) continue;
      const middle = end[start] as number;
      const after = end[middle] as number;
      end[start] = after;
      end[middle] = 0;
      if (after < length) before[after] = start;
      if (start > 0) note(before[start] as number);
      note(start);
    }
  }

  const ranks: number[] = [];
  for (let start = 0; start < length; start = end[start] as number) {
    ranks.push(rankOf.get(word.slice(start, end[start])) as number);
  }
  return ranks;
}

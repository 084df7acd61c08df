// Byte-pair merging of a word, pair by pair: of two adjacent parts those are merged whose bytes together have the lowest rank.

/** The ranks of the tokens of `word`, a byte string whose every byte has a rank. Quadratic in its length. */
export function mergeWord(word: string, rankOf: ReadonlyMap<string, number>): number[] {
  const cuts = cutsOf(word, rankOf);
  return cuts.slice(1).map((end, i) => rankOf.get(word.slice(cuts[i], end))!);
}

/** Where the tokens of `word` begin, and where the last one ends. */
export function cutsOf(word: string, rankOf: ReadonlyMap<string, number>): number[] {
  const cuts = Array.from({ length: word.length + 1 }, (_, i) => i);
  /** The rank of part i together with the next one. */
  const pairRank = (i: number): number =>
    i + 2 < cuts.length ? (rankOf.get(word.slice(cuts[i], cuts[i + 2])) ?? Infinity) : Infinity;
  const ranks = Array.from(word, (_, i) => pairRank(i));
  for (;;) {
    let best = 0;
    for (let i = 1; i < ranks.length; i++) if (ranks[i]! < ranks[best]!) best = i;
    if (ranks[best] === Infinity) return cuts;
    cuts.splice(best + 1, 1);
    ranks.splice(best + 1, 1);
    ranks[best] = pairRank(best);
    if (best > 0) ranks[best - 1] = pairRank(best - 1);
  }
}

/** The UTF-8 bytes of `text` as a byte string. */
export function utf8(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
}

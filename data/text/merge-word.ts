// Byte-pair merging of a word, pair by pair: of two adjacent parts those are merged whose bytes together have the lowest rank.

/** The ranks of the tokens of `word`, a byte string whose every byte has a rank. Quadratic in its length. */
export function mergeWord(word: string, rankOf: ReadonlyMap<string, number>): number[] {
  const cuts = cutsOf(word, rankOf);
  return cuts.slice(1).map((end, i) => rankOf.get(word.slice(cuts[i], end))!);
}

/** Where the tokens of `word` begin, and where the last one ends. */
export function cutsOf(word: string, rankOf: ReadonlyMap<string, number>): number[] {
  // Loops and no closures: reading a vocabulary of 49,000 tokens asks this of each.
  const cuts: number[] = [];
  for (let i = 0; i <= word.length; i++) cuts.push(i);
  /** By part the rank of its bytes together with the next one's. */
  const ranks: number[] = [];
  for (let i = 0; i + 1 < word.length; i++) ranks.push(rankOf.get(word.slice(i, i + 2)) ?? Infinity);
  for (;;) {
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < ranks.length; i++) {
      if (ranks[i]! < least) {
        best = i;
        least = ranks[i]!;
      }
    }
    if (best < 0) return cuts;
    cuts.splice(best + 1, 1);
    ranks.splice(best, 1);
    for (let i = Math.max(0, best - 1); i <= best && i < ranks.length; i++) {
      ranks[i] = rankOf.get(word.slice(cuts[i], cuts[i + 2])) ?? Infinity;
    }
  }
}

/** The UTF-8 bytes of `text` as a byte string. */
export function utf8(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
}

// A text as rows of an embedding table: its tokens, and its pairs of neighbouring tokens, hashed into so many buckets.

const first = 0x9e3779b1;
const second = 0x85ebca77;

/**
 * Rows of a table [vocabulary + buckets, .]: that of each token id, then of each pair of neighbours (a, b) vocabulary + the top
 * bits of (a first + b second) mod 2^32. `buckets`: a power of 2 up to 2^31, and 2 at the least.
 */
export function ngramRows(
  ids: ArrayLike<number>,
  vocabulary: number,
  buckets: number,
): Int32Array<ArrayBuffer> {
  const n = ids.length;
  const rows = new Int32Array(Math.max(0, 2 * n - 1));
  rows.set(ids);
  const shift = 32 - Math.log2(buckets);
  for (let i = 0; i + 1 < n; i++) {
    const hash = (Math.imul(ids[i]!, first) + Math.imul(ids[i + 1]!, second)) >>> 0;
    rows[n + i] = vocabulary + (hash >>> shift);
  }
  return rows;
}

// The gate on the host: pi[m, e] = relu(u[m] + v[e]) from both sides' shares, exactly as expert-choice.wgsl has it, and
// which experts a block of pairs needs, so that no other scores are computed for it.

/** u or v: values [count, experts], or one row for everybody where `isShared`. */
export interface GateShares {
  experts: number;
  values: Float32Array<ArrayBuffer>;
  isShared: boolean;
}

/** The share of a row, [experts]. */
export function shareOf({ experts, values, isShared }: GateShares, row: number): Float32Array<ArrayBuffer> {
  const from = isShared ? 0 : row * experts;
  return values.subarray(from, from + experts);
}

/** The shares of some rows: [rows, experts], or the one that all have. */
export function sharesOf(shares: GateShares, rows: ArrayLike<number>): GateShares {
  if (shares.isShared) return shares;
  const values = new Float32Array(rows.length * shares.experts);
  for (let i = 0; i < rows.length; i++) values.set(shareOf(shares, rows[i]!), i * shares.experts);
  return { ...shares, values };
}

/** The expert that the gate picks for a pair: the first of those with the largest pi. */
export function choiceOf(u: Float32Array, v: Float32Array): number {
  let best = 0;
  let most = -1;
  u.forEach((share, i) => {
    const pi = probability(share, v[i]!);
    if (pi > most) [best, most] = [i, pi];
  });
  return best;
}

/** By expert, whether the gate picks it for any pair of these rows. Stops looking once all have been seen. */
export function pickedExperts(u: GateShares, v: GateShares): boolean[] {
  const { experts } = u;
  const seen = new Array<boolean>(experts).fill(false);
  let left = experts;
  for (let m = 0; m < u.values.length; m += experts) {
    for (let e = 0; e < v.values.length; e += experts) {
      let best = 0;
      let most = -1;
      for (let i = 0; i < experts; i++) {
        const pi = probability(u.values[m + i]!, v.values[e + i]!);
        if (pi > most) {
          best = i;
          most = pi;
        }
      }
      if (seen[best]) continue;
      seen[best] = true;
      if (--left === 0) return seen;
    }
  }
  return seen;
}

function probability(u: number, v: number): number {
  return Math.max(Math.fround(u + v), 0);
}

// The gate on the host: pi[m, e] = relu(u[m] + v[e]) from both sides' logits, exactly as expert-choice.wgsl computes it,
// and which parts a block of pairs needs, so that no other scores are computed for it.

/** u or v: values [count, parts], or one row for everybody where `isShared`. */
export interface GateLogits {
  parts: number;
  values: Float32Array<ArrayBuffer>;
  isShared: boolean;
}

/** The logits of a row, [parts]. */
export function logitsOf({ parts, values, isShared }: GateLogits, row: number): Float32Array<ArrayBuffer> {
  const from = isShared ? 0 : row * parts;
  return values.subarray(from, from + parts);
}

/** The logits of some rows: [rows, parts], or the one row that all have. */
export function pickLogits(logits: GateLogits, rows: ArrayLike<number>): GateLogits {
  if (logits.isShared) return logits;
  const values = new Float32Array(rows.length * logits.parts);
  for (let i = 0; i < rows.length; i++) values.set(logitsOf(logits, rows[i]!), i * logits.parts);
  return { ...logits, values };
}

/** The logits of several groups of rows, one after the other. */
export function joinLogits(groups: readonly GateLogits[]): GateLogits {
  const [first] = groups;
  if (groups.length === 1) return first!;
  const values = new Float32Array(groups.reduce((sum, group) => sum + group.values.length, 0));
  let at = 0;
  for (const group of groups) {
    values.set(group.values, at);
    at += group.values.length;
  }
  return { parts: first?.parts ?? 0, values, isShared: false };
}

/** The number of the part that the gate picks for a pair: the first of those with the largest pi. */
export function choiceOf(u: Float32Array, v: Float32Array): number {
  let best = 0;
  let most = -1;
  u.forEach((logit, i) => {
    const pi = probability(logit, v[i]!);
    if (pi > most) [best, most] = [i, pi];
  });
  return best;
}

/** By part, whether the gate picks it for any pair of these rows. Stops looking once all have been seen. */
export function pickedParts(u: GateLogits, v: GateLogits): boolean[] {
  const { parts } = u;
  const seen = new Array<boolean>(parts).fill(false);
  let left = parts;
  for (let m = 0; m < u.values.length; m += parts) {
    for (let e = 0; e < v.values.length; e += parts) {
      let best = 0;
      let most = -1;
      for (let i = 0; i < parts; i++) {
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

// Texts as lists of their token ids, for systems that embed them without CLIP.

import type { Tokens } from '../../encoding/samples.ts';

/** The ids of the texts in these rows, without BOS and EOS. */
export function plainTokens({ ids, lengths, length }: Tokens, rows: readonly number[]): Int32Array[] {
  return rows.map((row) => ids.subarray(row * length + 1, row * length + lengths[row]! - 1));
}

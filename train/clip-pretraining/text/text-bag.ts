// A text as the mean of its tokens: the first student of the sentence encoder, trained in a minute, and what the
// transformer then begins as.
//
// s(x) = norm( P LN_{g,b}( mean_j LN(E_j) ) ), j over BOS, the tokens and EOS; E [V, d_t] the token table, P [d_z, d_t]; the
// inner LN has neither scale nor offset.

import type { TextBatch } from '../../../encoding/samples.ts';
import { mul } from '../../../engine/ops/elementwise.ts';
import { embedding } from '../../../engine/ops/embedding.ts';
import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import { layerNorm } from '../../../engine/ops/layer-norm.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Norm, Projection } from '../../../model/layers.ts';
import type { ParameterSource } from '../../../model/parameter-source.ts';
import { meanWeights } from '../../../model/text-batch.ts';

/** The bag with its logit scale, all that its training changes. Names are those that CLIP has for the same parts. */
export class TextBag {
  readonly logitScale: Tensor;
  readonly tokenTable: Tensor;
  #finalNorm: Norm;
  #projection: Projection;

  constructor(p: ParameterSource, vocabulary: number, width: number, projection: number, logitScale: number) {
    const text = p.under('text_model');
    this.logitScale = p.parameter('logit_scale', [], { value: logitScale });
    this.tokenTable = text.parameter('embeddings.token_embedding.weight', [vocabulary, width], { value: 0 });
    this.#finalNorm = text.norm('final_layer_norm', width);
    this.#projection = p.projection('text_projection', width, projection, { value: 0 });
  }

  /** Texts [B, L] -> [B, d_z] of length 1. */
  encode(batch: TextBatch): Tensor {
    return l2Normalize(this.#projection(this.features(batch)));
  }

  /** What the projection is applied to: texts [B, L] -> [B, d_t]. */
  features({ ids, mask, count, length }: TextBatch): Tensor {
    const { device } = this.tokenTable;
    const width = this.tokenTable.shape[1]!;
    const [ones, zeros] = [device.tensor([width], new Float32Array(width).fill(1)), device.zeros([width])];
    const rows = embedding(this.tokenTable, device.tensor([count, length], ids, { name: 'token ids' })); // [B, L, d_t]
    const shares = device.tensor([count, length, 1], meanWeights(mask, length));
    const weighted = mul(layerNorm(rows, ones, zeros), shares);
    return this.#finalNorm(sum(weighted, 1)); // [B, d_t]
  }
}

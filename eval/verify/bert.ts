// Kind `bert`: the encoder, all weights trained.

import { mul } from '../../engine/ops/elementwise.ts';
import { Bert, type BertConfig, firstTokens } from '../../model/bert/bert.ts';
import type { CaseConfig } from './case.ts';
import { textBatch } from './clip.ts';
import { integers, type Kind, probe, readResults } from './kind.ts';

export const bert: Kind = (context) =>
  context.device.scope(() => {
    const { device, parameters } = context;
    const batch = textBatch(context, 'ids', 'mask');
    const types = integers(context, 'types').data;
    const states = new Bert(parameters, bertConfig(context.config)).encode({ ...batch, types });
    const real = device.tensor([batch.count, batch.length, 1], Float32Array.from(batch.mask));
    // What stands on padding is nobody's business.
    const hidden = mul(states, real);
    return readResults({ hidden, cls: firstTokens(states), loss: probe(hidden) });
  });

/** The network that a case's config describes. */
export function bertConfig(config: CaseConfig): BertConfig {
  return {
    width: config.number('text_width'),
    hidden: config.number('text_hidden'),
    heads: config.number('text_heads'),
    layers: config.number('text_layers'),
    vocabulary: config.number('vocab'),
    maxLength: config.number('max_length'),
    types: config.number('types'),
    eps: 1e-12,
  };
}

// Kinds `blink-biencoder` (two towers) and `blink-crossencoder` (mention and candidate read together), from ids that are not
// packed yet; all weights trained.

import { packBoth, packContext, packEntity } from '../../../data/text/wordpiece/packing.ts';
import { createWordPiece } from '../../../data/text/wordpiece/wordpiece.ts';
import { reservedTokens } from '../../../data/text/wordpiece/wordpiece-trainer.ts';
import { crossEntropy } from '../../../engine/ops/cross-entropy.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import { reshape } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { CrossHead } from '../../../model/baselines/blink/cross-encoder.ts';
import { Bert } from '../../../model/bert/bert.ts';
import { clsOf, type PackedText, packedBatch } from '../../../model/bert/packed-texts.ts';
import { contrastiveLoss } from '../../../model/loss.ts';
import { bertConfig } from '../bert.ts';
import { type CaseContext, integers, type Kind, type Results, readResults } from '../kind.ts';

export const blinkBiencoder: Kind = (context) =>
  context.device.scope(async () => {
    const packed = packedSides(context);
    const [mentions, entities] = (['mention', 'entity'] as const).map((side) =>
      clsOf(new Bert(context.parameters.under(side), bertConfig(context.config)), packed[side]),
    ) as [Tensor, Tensor];
    const scores = matmul(mentions, entities, { transposeB: true });
    const results = await readResults({
      mention_vectors: mentions,
      entity_vectors: entities,
      scores,
      loss: contrastiveLoss(scores, integers(context, 'entity').data),
    });
    return { ...results, ...layoutOf(packed.mention, 'mention_'), ...layoutOf(packed.entity, 'entity_') };
  });

export const blinkCrossencoder: Kind = (context) =>
  context.device.scope(async () => {
    const { device, config, parameters } = context;
    const network = bertConfig(config);
    const [bert, head] = [new Bert(parameters, network), new CrossHead(parameters, network)];
    const { mention, entity } = packedSides(context);
    const { data: candidates, shape } = integers(context, 'candidates');
    const [M, N] = shape as [number, number];
    const pairs = Array.from(candidates, (column, i) =>
      packBoth(mention[Math.floor(i / N)]!.ids, entity[column]!.ids, config.number('context_length')),
    );
    const pooled = head.pooled(clsOf(bert, pairs));
    const scores = reshape(head.scores(pooled), [M, N]);
    const loss = crossEntropy(scores, device.tensor([M], integers(context, 'gold').data));
    const { types, positions } = packedBatch(pairs);
    return {
      ...(await readResults({ pooled, scores, loss })),
      ...layoutOf(pairs, ''),
      'output/types': types!,
      'output/positions': positions!,
    };
  });

/** Both sides as BLINK packs them. */
function packedSides(context: CaseContext): Record<'mention' | 'entity', PackedText[]> {
  const tokenizer = createWordPiece(reservedTokens);
  const [left, word, right] = ['left', 'word', 'right'].map((part) => lists(context, `mention_${part}`));
  const [title, description] = ['title', 'description'].map((part) => lists(context, `entity_${part}`));
  const lengths = ['context_length', 'entity_length'].map((name) => context.config.number(name));
  return {
    mention: word!.map((ids, i) => ({
      ids: packContext(tokenizer, left![i]!, ids, right![i]!, lengths[0]!),
    })),
    entity: title!.map((ids, i) => ({ ids: packEntity(tokenizer, ids, description![i]!, lengths[1]!) })),
  };
}

/** Lists of ids of lengths of their own. */
function lists(context: CaseContext, name: string): number[][] {
  const { data, shape } = integers(context, `${name}_ids`);
  const width = shape[1]!;
  return Array.from(integers(context, `${name}_length`).data, (length, i) => [
    ...data.subarray(i * width, i * width + length),
  ]);
}

function layoutOf(texts: readonly PackedText[], side: string): Results {
  const { ids, mask } = packedBatch(texts);
  return { [`output/${side}ids`]: ids, [`output/${side}mask`]: mask };
}

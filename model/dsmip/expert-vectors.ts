// Scoring vectors: what an expert's score of a pair needs of each side and nothing more, so that features are looked at
// once a mention and once an entity. The scores are those of experts.ts, without gradients.

import type { Features, RaggedFeatures } from '../../encoding/features.ts';
import { EngineError } from '../../engine/errors.ts';
import { gemm } from '../../engine/kernels/gemm.ts';
import { scale } from '../../engine/ops/elementwise.ts';
import type { Tensor } from '../../engine/tensor.ts';
import {
  comparesImages,
  type ExpertFeatures,
  type ExpertKind,
  type ScoringUnits,
  usesOf,
} from './experts.ts';
import {
  type TextEntities,
  type TextMentions,
  textEntities,
  textMentions,
  textScores,
} from './text-vectors.ts';
import {
  type VisionOperand,
  type VisionVectors,
  visionOperand,
  visionScores,
  visionVectors,
} from './vision-vectors.ts';

/** Of mentions; what the expert does not use is missing. */
export interface MentionVectors {
  text?: TextMentions;
  vision?: VisionOperand;
  /** [M, h] */
  crossModal?: Tensor;
}

/** Of entities, as they may be stored. */
export interface EntityVectors {
  text?: TextEntities;
  vision?: VisionVectors;
  /** [E, h] */
  crossModal?: Tensor;
}

/** Of entities, ready to be scored. */
export interface EntityOperands extends Omit<EntityVectors, 'vision'> {
  vision?: VisionOperand;
}

/** Entities after encoding, texts without padding. */
export interface EntityFeatures {
  text?: RaggedFeatures;
  image?: Features;
}

/** The vectors of M mentions. Throws EngineError for features that are missing. */
export function mentionVectors(units: ScoringUnits, { text, image }: ExpertFeatures): MentionVectors {
  const { kind, textNorms } = units;
  const vectors: MentionVectors = {};
  if (textNorms) vectors.text = textMentions(textNorms, units.text!, needed(text, kind, 'mention text'));
  const scored = units.scoredImage('mention', image);
  if (units.vision)
    vectors.vision = visionOperand('mention', visionVectors(units.vision, 'mention', scored!));
  if (units.crossModal) vectors.crossModal = units.crossModal.context({ text: vectors.text!, image: scored });
  return vectors;
}

/** The vectors of E entities. `rounded`: what storing a tensor will make of it. Throws EngineError. */
export function entityVectors(
  units: ScoringUnits,
  { text, image }: EntityFeatures,
  rounded?: (x: Tensor) => Tensor,
): EntityVectors {
  const { kind, textNorms } = units;
  const vectors: EntityVectors = {};
  if (textNorms) vectors.text = textEntities(textNorms, units.text!, needed(text, kind, 'entity text'));
  const scored = units.scoredImage('entity', image);
  if (units.vision) vectors.vision = visionVectors(units.vision, 'entity', scored!, rounded);
  if (units.crossModal) vectors.crossModal = units.crossModal.context({ text: vectors.text!, image: scored });
  return vectors;
}

/** Entities' vectors ready to be scored. */
export function entityOperands({ vision, ...others }: EntityVectors): EntityOperands {
  return vision ? { ...others, vision: visionOperand('entity', vision) } : others;
}

/** What dense retrieval compares texts by: LayerNorm of the embeds, [n, d_z]. Throws EngineError where there are none. */
export function retrievalVectors({ kind, textNorms }: ScoringUnits, embeds: Tensor): Tensor {
  return needed(textNorms ?? undefined, kind, 'text').embeds(embeds);
}

/**
 * The scores of all pairs, [M, E] (equations 9, 10 and 14); where `pairMask` (u32 [M, E]) is 0 any finite number may
 * stand for a score. Throws EngineError for vectors that are missing.
 */
export function pairScores(
  kind: ExpertKind,
  mention: MentionVectors,
  entity: EntityOperands,
  pairMask: Tensor | null = null,
): Tensor {
  const { text, image } = usesOf(kind);
  const ofTexts = text ? textOf(kind, mention, entity, pairMask) : null;
  if (!image) return ofTexts!;
  const hasVision = comparesImages(kind);
  const sum = hasVision ? visionOf(kind, mention, entity, ofTexts) : ofTexts!;
  if (!text) return sum;
  const crossMention = needed(mention.crossModal, kind, 'mention cross-modal');
  const crossEntity = needed(entity.crossModal, kind, 'entity cross-modal');
  return scale(plusProducts(crossMention, crossEntity, sum), hasVision ? 1 / 3 : 1 / 2);
}

function textOf(
  kind: ExpertKind,
  mention: MentionVectors,
  entity: EntityOperands,
  pairMask: Tensor | null,
): Tensor {
  const text = needed(mention.text, kind, 'mention text');
  return textScores(text, needed(entity.text, kind, 'entity text'), pairMask);
}

/** The vision unit's scores, added to `base` [M, E] where there is one. */
function visionOf(
  kind: ExpertKind,
  mention: MentionVectors,
  entity: EntityOperands,
  base: Tensor | null,
): Tensor {
  const m = needed(mention.vision, kind, 'mention image');
  const e = needed(entity.vision, kind, 'entity image');
  const { device } = m.scalars;
  return visionScores(m, e, base ?? device.zeros([m.vectors.shape[1]!, e.vectors.shape[1]!]));
}

/** base + a b^T: a [M, h], b [E, h], base [M, E]. */
function plusProducts(a: Tensor, b: Tensor, base: Tensor): Tensor {
  const [m, k] = a.shape as [number, number];
  const n = b.shape[0]!;
  const c = a.device.empty([m, n], 'f32', 'cross-modal scores');
  gemm({ a, b, c, m, n, k, transposeB: true, epilogue: { residual: base } });
  return c;
}

function needed<T>(value: T | undefined, kind: ExpertKind, what: string): T {
  if (value === undefined) throw new EngineError(`${kind} expert: ${what} vectors or features are missing`);
  return value;
}

// Scoring vectors: what an expert's score of a pair needs of each side and nothing more, so that features are looked at
// once a mention and once an entity. The scores are those of experts.ts, without gradients.

import { EngineError } from '../../engine/errors.ts';
import { gemm } from '../../engine/kernels/gemm.ts';
import { scale } from '../../engine/ops/elementwise.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Features } from '../clip/clip.ts';
import { norm } from '../layers.ts';
import type { ParameterStore } from '../parameter-store.ts';
import { crossModalVectors } from './cross-modal-unit.ts';
import type { ExpertFeatures, ExpertKind } from './experts.ts';
import { scoredImage } from './scoring-features.ts';
import {
  type RaggedText,
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
  text?: RaggedText;
  image?: Features;
}

/** The vectors of M mentions; h: width of the scoring units. Throws EngineError for features that are missing. */
export function mentionVectors(
  kind: ExpertKind,
  p: ParameterStore,
  h: number,
  { text, image }: ExpertFeatures,
): MentionVectors {
  const vectors: MentionVectors = {};
  if (kind !== 'visual') vectors.text = textMentions(p, h, needed(text, kind, 'mention text'));
  if (kind !== 'text') {
    const scored = scoredImage(p, h, needed(image, kind, 'mention image'));
    vectors.vision = visionOperand('mention', visionVectors(p, h, 'mention', scored));
    if (vectors.text) {
      vectors.crossModal = crossModalVectors(p, h, { cls: vectors.text.global, image: scored });
    }
  }
  return vectors;
}

/** The vectors of E entities. `rounded`: what storing a tensor will make of it. Throws EngineError. */
export function entityVectors(
  kind: ExpertKind,
  p: ParameterStore,
  h: number,
  { text, image }: EntityFeatures,
  rounded?: (x: Tensor) => Tensor,
): EntityVectors {
  const vectors: EntityVectors = {};
  if (kind !== 'visual') vectors.text = textEntities(p, h, needed(text, kind, 'entity text'));
  if (kind !== 'text') {
    const scored = scoredImage(p, h, needed(image, kind, 'entity image'));
    vectors.vision = visionVectors(p, h, 'entity', scored, rounded);
    if (vectors.text) {
      vectors.crossModal = crossModalVectors(p, h, { cls: vectors.text.global, image: scored });
    }
  }
  return vectors;
}

/** Entities' vectors ready to be scored. */
export function entityOperands({ vision, ...others }: EntityVectors): EntityOperands {
  return vision ? { ...others, vision: visionOperand('entity', vision) } : others;
}

/** What dense retrieval compares texts by: LayerNorm of the embeds, [n, d_z]. */
export function globalVectors(p: ParameterStore, embeds: Tensor): Tensor {
  return norm(p, 'text_cls_norm', embeds);
}

/**
 * The scores of all pairs, [M, E] (equations 9, 10 and 14); of those only that `wanted` (u32 [M, E]) names, where it is
 * given: others may be other numbers. Throws EngineError for vectors that are missing.
 */
export function pairScores(
  kind: ExpertKind,
  mention: MentionVectors,
  entity: EntityOperands,
  wanted: Tensor | null = null,
): Tensor {
  if (kind === 'text') return textOf(kind, mention, entity, wanted);
  if (kind === 'visual') {
    const [M, E] = [mention.vision?.vectors.shape[1] ?? 0, entity.vision?.vectors.shape[1] ?? 0];
    const zeros = mention.vision?.scalars.device.zeros([M, E]);
    return visionOf(kind, mention, entity, needed(zeros, kind, 'mention image'));
  }
  const sum = visionOf(kind, mention, entity, textOf(kind, mention, entity, wanted));
  const crossMention = needed(mention.crossModal, kind, 'mention cross-modal');
  const crossEntity = needed(entity.crossModal, kind, 'entity cross-modal');
  return scale(plusProducts(crossMention, crossEntity, sum), 1 / 3);
}

function textOf(
  kind: ExpertKind,
  mention: MentionVectors,
  entity: EntityOperands,
  wanted: Tensor | null,
): Tensor {
  const text = needed(mention.text, kind, 'mention text');
  return textScores(text, needed(entity.text, kind, 'entity text'), wanted);
}

function visionOf(kind: ExpertKind, mention: MentionVectors, entity: EntityOperands, base: Tensor): Tensor {
  return visionScores(
    needed(mention.vision, kind, 'mention image'),
    needed(entity.vision, kind, 'entity image'),
    base,
  );
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

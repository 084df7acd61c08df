// The experts: what each encodes of a mention or an entity, and how it scores all pairs (section 3.2 of the paper).

import { EngineError } from '../../engine/errors.ts';
import { add, scale } from '../../engine/ops/elementwise.ts';
import type { Tensor } from '../../engine/tensor.ts';
import {
  type ClipConfig,
  encodeImage,
  encodeText,
  type Features,
  type TextBatch,
  type TextFeatures,
} from '../clip/clip.ts';
import type { ParameterStore } from '../parameter-store.ts';
import { crossModalUnit } from './cross-modal-unit.ts';
import { interactivePrompts, type PromptConfig } from './prompts.ts';
import { scoredImage, scoredText } from './scoring-features.ts';
import { textUnit } from './text-unit.ts';
import { visionUnit } from './vision-unit.ts';

/** In the order of the gate's choices. */
export const expertKinds = ['text', 'visual', 'multimodal'] as const;
export type ExpertKind = (typeof expertKinds)[number];

export interface ExpertConfig {
  clip: ClipConfig;
  /** r and J of the multimodal expert; a depth of 0 leaves the prompts out. */
  prompts: PromptConfig;
  /** h, the width of the scoring units. */
  hidden: number;
}

/** Mentions or entities before encoding. An expert looks at what it needs and at nothing else. */
export interface ExpertInput {
  texts?: TextBatch;
  /** [B, 3, S, S], normalised. */
  pixels?: Tensor;
}

/** Mentions or entities after encoding; what the expert does not use is missing. */
export interface ExpertFeatures {
  text?: TextFeatures;
  image?: Features;
}

/**
 * Runs an expert's encoders on one side. Throws EngineError when an input that it needs is missing.
 */
export function encodeFor(
  kind: ExpertKind,
  p: ParameterStore,
  config: ExpertConfig,
  side: 'mention' | 'entity',
  { texts, pixels }: ExpertInput,
): ExpertFeatures {
  const none = { text: [], vision: [] };
  const prompts = kind === 'multimodal' ? interactivePrompts(p, config.clip, config.prompts, side) : none;
  const features: ExpertFeatures = {};
  if (kind !== 'visual') {
    features.text = encodeText(p, config.clip, needed(texts, kind, `${side} texts`), prompts.text);
  }
  if (kind !== 'text') {
    features.image = encodeImage(p, config.clip, needed(pixels, kind, `${side} pixels`), prompts.vision);
  }
  return features;
}

/**
 * The expert's scores of all pairs of M mentions and E entities, [M, E]; h: width of the scoring units. Throws
 * EngineError when features that it needs are missing.
 */
export function expertScores(
  kind: ExpertKind,
  p: ParameterStore,
  h: number,
  mention: ExpertFeatures,
  entity: ExpertFeatures,
): Tensor {
  const text = ({ text }: ExpertFeatures, side: string) =>
    scoredText(p, needed(text, kind, `${side} text features`));
  const image = ({ image }: ExpertFeatures, side: string) =>
    scoredImage(p, h, needed(image, kind, `${side} image features`));

  // Equation 9.
  if (kind === 'text') return textUnit(p, h, text(mention, 'mention'), text(entity, 'entity'));
  // Equation 10.
  if (kind === 'visual') return visionUnit(p, h, image(mention, 'mention'), image(entity, 'entity'));
  // Equations 11 to 14.
  const m = { text: text(mention, 'mention'), image: image(mention, 'mention') };
  const e = { text: text(entity, 'entity'), image: image(entity, 'entity') };
  const units = [
    textUnit(p, h, m.text, e.text),
    visionUnit(p, h, m.image, e.image),
    crossModalUnit(p, h, m, e),
  ];
  return scale(units.reduce(add), 1 / units.length);
}

function needed<T>(value: T | undefined, kind: ExpertKind, what: string): T {
  if (value === undefined) throw new EngineError(`${kind} expert: ${what} are missing`);
  return value;
}

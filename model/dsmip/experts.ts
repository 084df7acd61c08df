// The experts: what each encodes of a mention or an entity, and how it scores all pairs (section 3.2 of the paper).

import { EngineError } from '../../engine/errors.ts';
import { add, scale } from '../../engine/ops/elementwise.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Side } from '../../ranking/scorer.ts';
import type {
  ClipConfig,
  ClipImageEncoder,
  ClipTextEncoder,
  Features,
  TextBatch,
  TextFeatures,
} from '../clip/clip.ts';
import type { ParameterSource } from '../parameter-source.ts';
import { CrossModalUnit } from './cross-modal-unit.ts';
import {
  InteractivePrompts,
  noPrompts,
  type PromptConfig,
  type PromptStart,
  type Prompts,
} from './prompts.ts';
import { ImageProjections, type ScoredImage, TextNorms } from './scoring-features.ts';
import { type LocalStart, TextUnit } from './text-unit.ts';
import { VisionUnit } from './vision-unit.ts';

/** What an expert looks at. */
export interface ExpertUses {
  text: boolean;
  image: boolean;
  /** Whether it puts prompts in front of both. */
  prompts: boolean;
}

const experts = {
  text: { text: true, image: false, prompts: false },
  visual: { text: false, image: true, prompts: false },
  multimodal: { text: true, image: true, prompts: true },
} satisfies Record<string, ExpertUses>;

/** Experts that look at the text alone on one side and at both modalities on the other: the side whose image they see. */
const crossed = {
  'text-multimodal': 'entity',
  'multimodal-text': 'mention',
} satisfies Record<string, Side>;

type CrossedKind = keyof typeof crossed;
export type ExpertKind = keyof typeof experts | CrossedKind;

/** The paper's, in the order of its gate's choices. */
export const expertKinds = Object.keys(experts) as ExpertKind[];
/** An addition of ours: the mention's modalities first, the entity's second. */
const crossedKinds = Object.keys(crossed) as CrossedKind[];
export const allExpertKinds: readonly ExpertKind[] = [...expertKinds, ...crossedKinds];

/** What an expert looks at, on either side. */
export function usesOf(kind: ExpertKind): ExpertUses {
  return isCrossed(kind) ? { text: true, image: true, prompts: false } : experts[kind];
}

/** Whether an expert looks at the images of a side. */
export function seesImages(kind: ExpertKind, side: Side): boolean {
  return isCrossed(kind) ? crossed[kind] === side : experts[kind].image;
}

/** Whether an expert compares images with images: what looks at one side's alone cannot. */
export function comparesImages(kind: ExpertKind): boolean {
  return seesImages(kind, 'mention') && seesImages(kind, 'entity');
}

function isCrossed(kind: ExpertKind): kind is CrossedKind {
  return kind in crossed;
}

export interface ExpertConfig {
  clip: ClipConfig;
  /** r and J where an expert has prompts; a depth of 0 leaves them out. */
  prompts: PromptConfig;
  /** h, the width of the scoring units. */
  hidden: number;
}

/** How what is fresh of an expert starts, where that is open. */
export interface ExpertStarts {
  prompts: PromptStart;
  /** The text unit's local term. */
  local: LocalStart;
}

export const usualStarts: ExpertStarts = { prompts: 'random', local: 'random' };

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

/** CLIP's encoders; null for one that an expert does not use. */
export interface ClipEncoders {
  text: ClipTextEncoder | null;
  vision: ClipImageEncoder | null;
}

/** CLIP's encoders with an expert's prompts in them. */
export class ExpertEncoders {
  #kind: ExpertKind;
  #clip: ClipEncoders;
  #prompts: ExpertPrompts;

  constructor(kind: ExpertKind, clip: ClipEncoders, prompts: ExpertPrompts) {
    this.#kind = kind;
    this.#clip = clip;
    this.#prompts = prompts;
  }

  /** Encodes all that the expert uses of one side. Throws EngineError when an input that it needs is missing. */
  encode(side: Side, { texts, pixels }: ExpertInput): ExpertFeatures {
    const uses = usesOf(this.#kind);
    const prompts = this.prompts(side);
    const features: ExpertFeatures = {};
    if (uses.text) {
      features.text = this.#clip.text!.encode(needed(texts, this.#kind, `${side} texts`), prompts.text);
    }
    if (seesImages(this.#kind, side)) {
      features.image = this.#clip.vision!.encode(
        needed(pixels, this.#kind, `${side} pixels`),
        prompts.vision,
      );
    }
    return features;
  }

  /** The side's prompts as the weights now make them. */
  prompts(side: Side): Prompts {
    return this.#prompts?.[side].make() ?? noPrompts;
  }
}

/** The prompts of both sides; null where an expert has none. */
export type ExpertPrompts = Readonly<Record<Side, InteractivePrompts>> | null;

export function expertPrompts(
  p: ParameterSource,
  kind: ExpertKind,
  { clip, prompts }: ExpertConfig,
  start: PromptStart = 'random',
): ExpertPrompts {
  if (!usesOf(kind).prompts) return null;
  return {
    mention: new InteractivePrompts(p, 'mention', clip, prompts, start),
    entity: new InteractivePrompts(p, 'entity', clip, prompts, start),
  };
}

/** The scoring units of an expert, and the layers in front of them: what it uses has a unit each. */
export class ScoringUnits {
  readonly kind: ExpertKind;
  readonly textNorms: TextNorms | null;
  readonly imageProjections: ImageProjections | null;
  readonly text: TextUnit | null;
  readonly vision: VisionUnit | null;
  readonly crossModal: CrossModalUnit | null;

  constructor(
    p: ParameterSource,
    kind: ExpertKind,
    { clip, hidden: h }: Omit<ExpertConfig, 'prompts'>,
    localStart = usualStarts.local,
  ) {
    const { text, image } = usesOf(kind);
    this.kind = kind;
    this.textNorms = text ? new TextNorms(p, clip) : null;
    this.imageProjections = image ? new ImageProjections(p, clip, h, comparesImages(kind)) : null;
    this.text = text ? new TextUnit(p, clip, h, localStart) : null;
    this.vision = comparesImages(kind) ? new VisionUnit(p, h) : null;
    this.crossModal = text && image ? new CrossModalUnit(p, clip, h, !comparesImages(kind)) : null;
  }

  /** The scores of all pairs of M mentions and E entities, [M, E]: the mean of the units'. Throws as `unitScores` does. */
  scores(mention: ExpertFeatures, entity: ExpertFeatures): Tensor {
    return meanScores(this.unitScores(mention, entity));
  }

  /**
   * The same by each unit that the expert has: equation 9 of texts, equation 10 of images, and of both the three of equations
   * 11 to 14; where one side's images do not count, the text unit and the dot product of that side's text with what the other's
   * text finds in its image. Throws EngineError when features that the expert needs are missing.
   */
  unitScores(mention: ExpertFeatures, entity: ExpertFeatures): Tensor[] {
    const [m, e] = [this.#scored('mention', mention), this.#scored('entity', entity)];
    const units: Tensor[] = [];
    if (this.text) units.push(this.text.scores(m.text!, e.text!));
    if (this.vision) units.push(this.vision.scores(m.image!, e.image!));
    if (this.crossModal) {
      const pair = ({ text, image }: typeof m) => ({ text: text!, image });
      units.push(this.crossModal.scores(pair(m), pair(e)));
    }
    return units;
  }

  /** What the units see of a side's images; undefined where the expert does not look at them. Throws EngineError. */
  scoredImage(side: Side, image: Features | undefined): ScoredImage | undefined {
    if (!seesImages(this.kind, side)) return undefined;
    return this.imageProjections!.scored(needed(image, this.kind, `${side} image features`));
  }

  /** What the units see of one side. */
  #scored(side: Side, { text, image }: ExpertFeatures) {
    return {
      text: this.textNorms?.scored(needed(text, this.kind, `${side} text features`)),
      image: this.scoredImage(side, image),
    };
  }
}

/** The mean of what units say, [M, E] each. */
export function meanScores(units: readonly Tensor[]): Tensor {
  return units.length === 1 ? units[0]! : scale(units.reduce(add), 1 / units.length);
}

function needed<T>(value: T | undefined, kind: ExpertKind, what: string): T {
  if (value === undefined) throw new EngineError(`${kind} expert: ${what} are missing`);
  return value;
}

// Interactive prompts: learnt text prompts for each of the first J layers, and the visual prompts that a
// linear layer a depth (the coupling function F) makes of them. Mentions and entities have their own.

import type { Tensor } from '../../engine/tensor.ts';
import type { Side } from '../../ranking/scorer.ts';
import type { ClipConfig } from '../clip/clip.ts';
import type { Linear } from '../layers.ts';
import type { ParameterSource } from '../parameter-source.ts';

export interface PromptConfig {
  /** r, prompts a layer. */
  length: number;
  /** J, layers that take prompts of their own. */
  depth: number;
}

/**
 * How prompts start: as small as MaPLe's (Khattak et al. 2023), or next to nothing, with couplings to match. LayerNorm
 * makes any small vector a full-sized one unless it is far below the root of its epsilon, so that random prompts pull
 * at every token from the first step on; neutral ones only thin out its attention. An addition of ours.
 */
export const promptStarts = ['random', 'neutral'] as const;
export type PromptStart = (typeof promptStarts)[number];

/** Prompts for both encoders, one tensor a layer. */
export interface Prompts {
  /** P^(i-1), J tensors [r, d_t]. */
  text: readonly Tensor[];
  /** F_i(P^(i-1)), J tensors [r, d_v]. */
  vision: readonly Tensor[];
}

export const noPrompts: Prompts = { text: [], vision: [] };

/** The prompts of one side: `prompts.SIDE.J` and `coupling.SIDE.J`. */
export class InteractivePrompts {
  #text: Tensor[] = [];
  #couplings: Linear[] = [];

  constructor(
    p: ParameterSource,
    side: Side,
    { text, vision }: ClipConfig,
    { length, depth }: PromptConfig,
    promptStart: PromptStart = 'random',
  ) {
    const isNeutral = promptStart === 'neutral';
    const start = { deviation: isNeutral ? 1e-4 : 0.02 };
    const coupling = isNeutral ? { bias: { value: 0 } } : {};
    for (let j = 0; j < depth; j++) {
      this.#text.push(p.parameter(`prompts.${side}.${j}`, [length, text.width], start));
      this.#couplings.push(p.linear(`coupling.${side}.${j}`, text.width, vision.width, coupling));
    }
  }

  /** The prompts as the weights now make them. */
  make(): Prompts {
    return { text: this.#text, vision: this.#text.map((prompt, j) => this.#couplings[j]!(prompt)) };
  }
}

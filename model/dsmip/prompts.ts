// Interactive prompts: learnt text prompts for each of the first J layers, and the visual prompts that a
// linear layer a depth (the coupling function F) makes of them. Mentions and entities have their own.

import { linear } from '../../engine/ops/linear.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { ClipConfig } from '../clip/clip.ts';
import type { ParameterStore } from '../parameter-store.ts';

export interface PromptConfig {
  /** r, prompts a layer. */
  length: number;
  /** J, layers that take prompts of their own. */
  depth: number;
}

/** Prompts for both encoders, one tensor a layer. */
export interface Prompts {
  /** P^(i-1), J tensors [r, d_t]. */
  text: Tensor[];
  /** F_i(P^(i-1)), J tensors [r, d_v]. */
  vision: Tensor[];
}

/** The prompts of one side, from `prompts.SIDE.J` and `coupling.SIDE.J.{weight, bias}`. */
export function interactivePrompts(
  p: ParameterStore,
  clip: ClipConfig,
  { length, depth }: PromptConfig,
  side: 'mention' | 'entity',
): Prompts {
  const text = Array.from({ length: depth }, (_, j) =>
    p.get(`prompts.${side}.${j}`, [length, clip.text.width]),
  );
  const vision = text.map((prompt, j) => {
    const F = p.under(`coupling.${side}.${j}`);
    return linear(
      prompt,
      F.get('weight', [clip.vision.width, clip.text.width]),
      F.get('bias', [clip.vision.width]),
    );
  });
  return { text, vision };
}

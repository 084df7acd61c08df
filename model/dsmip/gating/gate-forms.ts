// The forms that DSMIP's gate may have, and what all of them are to those who use one.

import type { Tensor } from '../../../engine/tensor.ts';
import type { Mixture } from '../../../ranking/mixture.ts';
import type { Expert } from '../expert-model.ts';

/** One expert for each pair (the paper's), or a mixture of the probabilities that all experts give. */
export const gateForms = ['choice', 'mixture'] as const;
export type GateForm = (typeof gateForms)[number];

/** What an expert is chosen for: a pair, a mention, or a modality for each of the two sides. */
export const choicesBy = ['pair', 'mention', 'side'] as const;
export type ChoiceBy = (typeof choicesBy)[number];

/** Experts and a gate over them. */
export interface GatedExperts {
  readonly experts: readonly Expert[];
  /** What ranks: the gate over the experts. */
  readonly scorer: Mixture;
  /** Parameters of the gate and of what is trained with it besides the experts' units. */
  readonly gate: ReadonlyMap<string, Tensor>;
}

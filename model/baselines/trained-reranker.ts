// What the training of a reranker knows of one beyond its being a Reranker: it learns to tell the right entity from the other
// candidates that a trained baseline, its first stage, proposes.

import * as v from 'valibot';
import type { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Reranker } from '../../ranking/reranker.ts';
import type { Batch } from '../../ranking/scorer.ts';
import type { ParameterGroups, Recipe } from './baseline.ts';

/** Entities that the first stage proposes for each mention: N. */
export const candidatesField = v.optional(v.pipe(v.number(), v.integer(), v.minValue(2)), 64);

/** How a reranker is trained unless told otherwise; a batch counts mentions, each with its N pairs. */
export type RerankerRecipe = Omit<Recipe, 'hardNegatives' | 'hardEpochs'>;

export interface TrainedReranker<Inputs> extends Reranker<Inputs> {
  /** N, in training and in ranking. */
  readonly candidates: number;
  /** What training changes. */
  readonly groups: ParameterGroups;
  /** As a Reranker's; `random`: what dropout draws from, null where nothing is dropped. */
  pairScores(mentions: Batch<Inputs>, entities: Batch<Inputs>, random?: Random | null): Tensor;
  /** Lines about the samples that were prepared since the last time, of a system that has something to say of them. */
  takeWarnings?(): string[];
}

/** A reranker whatever it keeps of samples. */
// biome-ignore lint/suspicious/noExplicitAny: who holds rerankers of several kinds hands a reranker's inputs back to it only.
export type AnyReranker = TrainedReranker<any>;

// McFadden's conditional logit: of the alternatives of each choice, alternative j has the probability softmax(w . x)_j. Its
// weights by maximum likelihood, in float64 on the host; with ridge the problem is strictly convex and has one solution.
// With two alternatives, x and 0, it is logistic regression.

import { EngineError } from '../../engine/errors.ts';

/** One choice. */
export interface Choice {
  /** By alternative its features. */
  alternatives: readonly (readonly number[])[];
  /** The number of the one that was chosen. */
  chosen: number;
  /** How much it counts. Default 1. */
  weight?: number;
}

const mostSteps = 100;
/** The largest derivative of the mean loss that counts as none. */
const flat = 1e-9;

/**
 * The weights w that minimise sum_i weight_i * -log softmax(w . x_i)_chosen + sum_k ridge_k w_k^2 / 2, by Newton's method
 * with halved steps where a whole one does not help.
 */
export function fitConditionalLogit(choices: readonly Choice[], ridge: readonly number[]): number[] {
  let weights = ridge.map(() => 0);
  const total = choices.reduce((sum, { weight = 1 }) => sum + weight, 0);
  let loss = lossOf(choices, ridge, weights);
  for (let step = 0; step < mostSteps; step++) {
    const { gradient, hessian } = derivatives(choices, ridge, weights);
    if (Math.max(...gradient.map(Math.abs)) <= flat * total) return weights;
    const direction = solve(hessian, gradient);
    let size = 1;
    let next = weights;
    let nextLoss = loss;
    do {
      next = weights.map((weight, k) => weight - size * direction[k]!);
      nextLoss = lossOf(choices, ridge, next);
      size /= 2;
    } while (!(nextLoss <= loss) && size > 1e-12);
    // What is left is rounding.
    if (!(nextLoss < loss)) return weights;
    [weights, loss] = [next, nextLoss];
  }
  return weights;
}

/** The mean of -log of the probability of what was chosen, in nats. */
export function meanLoss(choices: readonly Choice[], weights: readonly number[]): number {
  const total = choices.reduce((sum, { weight = 1 }) => sum + weight, 0);
  return (
    lossOf(
      choices,
      weights.map(() => 0),
      weights,
    ) / total
  );
}

function lossOf(choices: readonly Choice[], ridge: readonly number[], weights: readonly number[]): number {
  let loss = ridge.reduce((sum, penalty, k) => sum + (penalty * weights[k]! ** 2) / 2, 0);
  for (const choice of choices) {
    loss -= (choice.weight ?? 1) * Math.log(probabilities(choice, weights)[choice.chosen]!);
  }
  return loss;
}

function derivatives(choices: readonly Choice[], ridge: readonly number[], weights: readonly number[]) {
  const gradient = ridge.map((penalty, k) => penalty * weights[k]!);
  const hessian = ridge.map((penalty, k) => ridge.map((_, l) => (k === l ? penalty : 0)));
  for (const choice of choices) {
    const { alternatives, chosen, weight = 1 } = choice;
    const p = probabilities(choice, weights);
    const mean = ridge.map((_, k) => alternatives.reduce((sum, x, j) => sum + p[j]! * x[k]!, 0));
    for (let k = 0; k < ridge.length; k++) {
      gradient[k]! += weight * (mean[k]! - alternatives[chosen]![k]!);
      for (let l = 0; l <= k; l++) {
        let second = 0;
        alternatives.forEach((x, j) => {
          second += p[j]! * (x[k]! - mean[k]!) * (x[l]! - mean[l]!);
        });
        hessian[k]![l]! += weight * second;
        if (l < k) hessian[l]![k]! += weight * second;
      }
    }
  }
  return { gradient, hessian };
}

function probabilities({ alternatives }: Choice, weights: readonly number[]): number[] {
  const logits = alternatives.map((x) => x.reduce((sum, value, k) => sum + value * weights[k]!, 0));
  const most = Math.max(...logits);
  const parts = logits.map((logit) => Math.exp(logit - most));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / sum);
}

/** x of A x = b for a positive definite A, by Cholesky's decomposition. Throws EngineError for a matrix that is none. */
function solve(A: readonly (readonly number[])[], b: readonly number[]): number[] {
  const n = b.length;
  const L = b.map(() => b.map(() => 0));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = A[i]![j]!;
      for (let k = 0; k < j; k++) sum -= L[i]![k]! * L[j]![k]!;
      if (i !== j) L[i]![j] = sum / L[j]![j]!;
      else if (sum > 0) L[i]![i] = Math.sqrt(sum);
      else throw new EngineError('conditional logit: the features do not determine the weights');
    }
  }
  const y = [...b];
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) y[i]! -= L[i]![k]! * y[k]!;
    y[i]! /= L[i]![i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) y[i]! -= L[k]![i]! * y[k]!;
    y[i]! /= L[i]![i]!;
  }
  return y;
}

// DSMIP's experts as a mixture (an option beside the paper's choice of one expert a pair): of each expert's scores
// probabilities over entities are made, p_b(e | m) = softmax over e of c_b S_b(m, e), and the gate says how much each counts
// for a mention: log sum_b pi_b(m) p_b(e | m), pi = softmax(MLP(confidence)). M mentions, B experts, f features, g width.

import { noGrad } from '../../../engine/autograd.ts';
import type { Device } from '../../../engine/device.ts';
import { add, affine, div, exp, log, mul, relu, scale, sub } from '../../../engine/ops/elementwise.ts';
import { mean, sum } from '../../../engine/ops/reduce.ts';
import { reshape, slice } from '../../../engine/ops/shape.ts';
import { softmax } from '../../../engine/ops/softmax.ts';
import type { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Shares } from '../../../ranking/mixed-probabilities.ts';
import { Mixture } from '../../../ranking/mixture.ts';
import { initialise } from '../../initialise.ts';
import type { Linear } from '../../layers.ts';
import { type ParameterSource, zeroLinear } from '../../parameter-source.ts';
import type { Expert } from '../expert-model.ts';
import { bestScores, confidenceFeatures, confidenceWidth } from './confidence.ts';
import { type GateDropout, hiddenOf } from './gate.ts';
import type { ColumnStatistics } from './gate-inputs.ts';

/** What training knows of some mentions: scores of each expert alone, on the device. */
export interface ScoredMentions {
  /** [M, f], not standardised. */
  confidence: Tensor;
  /** By expert, [M, 1 + n]: the gold entity's score and those of others, less the largest of the row. */
  scores: readonly Tensor[];
}

export class ExpertMixture implements Shares {
  readonly device: Device;
  readonly experts: readonly Expert[];
  readonly best = bestScores;
  /** Parameters of the gate and of the scales. */
  readonly gate: ReadonlyMap<string, Tensor>;
  /** What ranks. */
  readonly scorer: Mixture;
  /** [2, f]: mean and deviation of each feature. */
  readonly #statistics: Tensor;
  readonly #module: MixtureGate;

  /** A gate over experts, which stay as they are. `random`: null when it is about to be loaded. */
  constructor(
    device: Device,
    experts: readonly Expert[],
    { hidden }: { hidden: number },
    { mean, deviation }: ColumnStatistics,
    random: Random | null,
  ) {
    this.device = device;
    this.experts = experts;
    for (const { trained } of experts) for (const tensor of trained.values()) tensor.requiresGrad = false;
    this.#statistics = device.tensor([2, mean.length], Float32Array.from([...mean, ...deviation]));
    const { module, tensors } = initialise(device, random, (p) => new MixtureGate(p, hidden, experts.length));
    this.#module = module;
    this.gate = tensors;
    this.scorer = new Mixture('dsmip', experts, { shares: this });
  }

  /** c_b, [B]. */
  scales(): Tensor {
    return exp(this.#module.logScale);
  }

  logShares(best: readonly Tensor[], hasImage: Tensor): Tensor {
    return this.#logShares(confidenceFeatures(best, hasImage));
  }

  /** Sets the scales: where training begins. */
  setScales(scales: readonly number[]): void {
    this.device.write(this.#module.logScale, Float32Array.from(scales, Math.log));
  }

  /** The mean of -log sum_b pi_b(m) p_b(gold | m), `[]`, and pi [M, 1, B]. Differentiable. */
  loss({ confidence, scores }: ScoredMentions, drop?: GateDropout): { loss: Tensor; pi: Tensor } {
    const logPi = this.#logShares(confidence, drop); // [M, B]
    const [M, B] = logPi.shape as [number, number];
    const scales = this.scales();
    const terms = scores.map((own, b) => {
      const x = mul(own, slice(scales, 0, b, 1)); // at most 0, once 0: the sum is at least 1
      const logP = sub(slice(x, 1, 0, 1), reshape(log(sum(exp(x), 1)), [M, 1]));
      return add(slice(logPi, 1, b, 1), logP); // [M, 1]
    });
    return { loss: scale(mean(terms.reduce(logAddExp)), -1), pi: reshape(exp(logPi), [M, 1, B]) };
  }

  /** Lets go of all but the experts. */
  release(): void {
    for (const tensor of [this.#statistics, ...this.gate.values()]) tensor.release();
  }

  #logShares(confidence: Tensor, drop?: GateDropout): Tensor {
    const standardised = noGrad(() => {
      const [mean, deviation] = [0, 1].map((row) => slice(this.#statistics, 0, row, 1)) as [Tensor, Tensor];
      return div(sub(confidence, mean), deviation);
    });
    return log(softmax(this.#module.logits(standardised, drop)));
  }
}

/** The gate's layers, named as the paper's gate names its mention side, and log c_b. The last layer begins at zero: equal shares. */
class MixtureGate {
  readonly logScale: Tensor;
  #layers: readonly Linear[];
  #out: Linear;

  constructor(source: ParameterSource, g: number, B: number) {
    const p = source.under('gate');
    this.#layers = [p.linear('mention.0', confidenceWidth(B), g), p.linear('mention.1', g, g)];
    this.#out = p.linear('out', g, B, zeroLinear);
    this.logScale = p.parameter('log_scale', [B], { value: 0 });
  }

  /** [M, f] -> [M, B]. */
  logits(features: Tensor, drop?: GateDropout): Tensor {
    return this.#out(hiddenOf(this.#layers, features, drop));
  }
}

/** log(e^a + e^b) of tensors of one shape, without overflow: max(a, b) + log(1 + e^-|a - b|). */
function logAddExp(a: Tensor, b: Tensor): Tensor {
  const difference = sub(a, b);
  const above = relu(difference);
  const distance = sub(difference, scale(above, 2)); // -|a - b|
  return add(add(b, above), log(affine(exp(distance), 1, 1)));
}

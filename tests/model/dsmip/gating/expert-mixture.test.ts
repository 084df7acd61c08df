// The mixture of experts: its features, and its loss with gradients, against float64.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../../engine/autograd.ts';
import { Random } from '../../../../engine/random.ts';
import type { Expert } from '../../../../model/dsmip/expert-model.ts';
import { confidenceFeatures, confidenceWidth } from '../../../../model/dsmip/gating/confidence.ts';
import { ExpertMixture } from '../../../../model/dsmip/gating/expert-mixture.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

const sum = (values: readonly number[]) => values.reduce((total, x) => total + x, 0);

/** Of an expert's best scores, largest first: the four features of the formula. */
function plainFeatures(s: readonly number[]): number[] {
  if (s.length < 2) return [0, 0, 0, 0];
  const average = sum(s) / s.length;
  const deviation = Math.sqrt(sum(s.map((x) => (x - average) ** 2)) / (s.length - 1));
  const next = s.slice(1, 6);
  const total = sum(s.map((x) => Math.exp(x - s[0]!)));
  const p = s.map((x) => Math.exp(x - s[0]!) / total);
  const lead = s[0]! - s[1]!;
  return [
    lead,
    lead / (deviation + 1e-6),
    s[0]! - sum(next) / next.length,
    -sum(p.map((x) => x * Math.log(x))),
  ];
}

for (const k of [1, 2, 4, 16]) {
  test(`features of the ${k} best scores`, async () => {
    const M = 5;
    const rows = [1, 2].map((seed) =>
      Array.from({ length: M }, (_, m) =>
        [...normal(k, 10 * seed + m)].map((x) => 3 * x).sort((a, b) => b - a),
      ),
    );
    const best = rows.map((own) => device.tensor([M, k], Float32Array.from(own.flat())));
    const hasImage = Float32Array.from({ length: M }, (_, m) => m % 2);
    const found = await confidenceFeatures(best, device.tensor([M, 1], hasImage)).read();
    const expected: number[] = [];
    for (let m = 0; m < M; m++) {
      expected.push(...rows.flatMap((own) => plainFeatures(own[m]!)), hasImage[m]!);
    }
    assertClose(found, expected, 1e-5, 'features');
  });
}

/** -mean log sum_b pi_b p_b(gold), pi by two layers with LeakyReLU, from flat parameters by name. */
function plainLoss(
  p: ReadonlyMap<string, Float64Array>,
  confidence: readonly (readonly number[])[],
  scores: readonly (readonly (readonly number[])[])[],
): number {
  const layer = (name: string, x: readonly number[]) => {
    const [weight, bias] = [p.get(`${name}.weight`)!, p.get(`${name}.bias`)!];
    return Array.from(bias, (b, row) => b + sum(x.map((value, i) => value * weight[row * x.length + i]!)));
  };
  const leaky = (x: readonly number[]) => x.map((value) => (value < 0 ? 0.01 * value : value));
  const losses = confidence.map((f, m) => {
    const standard = f.map((x, i) => (x - mean[i]!) / deviation[i]!);
    const logits = layer(
      'gate.out',
      leaky(layer('gate.mention.1', leaky(layer('gate.mention.0', standard)))),
    );
    const total = sum(logits.map(Math.exp));
    return -Math.log(
      sum(
        logits.map((logit, b) => {
          const x = scores[b]![m]!.map((score) => Math.exp(Math.exp(p.get('gate.log_scale')![b]!) * score));
          return ((Math.exp(logit) / total) * x[0]!) / sum(x);
        }),
      ),
    );
  });
  return sum(losses) / losses.length;
}

const f = confidenceWidth(3);
const mean = Float64Array.from({ length: f }, (_, i) => (i % 5) / 5);
const deviation = Float64Array.from({ length: f }, (_, i) => 0.5 + (i % 3));

test('three experts: the loss and its gradients, with scores far apart', async () => {
  const [M, n, B] = [6, 9, 3];
  const experts = ['a', 'b', 'c'].map((name) => ({ name, device, trained: new Map() }));
  const random = new Random(4);
  const mixture = new ExpertMixture(
    device,
    experts as unknown as Expert[],
    { hidden: 5 },
    { mean, deviation },
    random,
  );
  for (const [i, tensor] of [...mixture.gate.values()].entries()) {
    device.write(
      tensor,
      normal(tensor.size, 50 + i).map((x) => x / 2),
    );
  }
  const confidence = Array.from({ length: M }, (_, m) => [...normal(f, 100 + m)]);
  const scores = Array.from({ length: B }, (_, b) =>
    Array.from({ length: M }, (_, m) => {
      // The second mention's gold entity is hopeless for all experts, as it would be beyond exp's range.
      const row = [...normal(n, 200 + 10 * b + m)].map((x, i) => 4 * x - (m === 1 && i === 0 ? 60 : 0));
      const most = Math.max(...row);
      return [...Float32Array.from(row.map((x) => x - most))];
    }),
  );
  const { loss, gradients } = await device.scope(() => {
    const made = mixture.loss({
      confidence: device.tensor([M, f], Float32Array.from(confidence.flat())),
      scores: scores.map((own) => device.tensor([M, n], Float32Array.from(own.flat()))),
    });
    assert.equal(made.pi.shape, [M, 1, B]);
    const found = backward(made.loss);
    return Promise.all([
      made.loss.read(),
      ...[...mixture.gate.values()].map((tensor) => found.get(tensor)!.read()),
    ]).then(([loss, ...gradients]) => ({ loss: loss![0]!, gradients }));
  });
  const parameters = new Map<string, Float64Array>();
  for (const [name, tensor] of mixture.gate) parameters.set(name, Float64Array.from(await tensor.read()));
  const plain = () => plainLoss(parameters, confidence, scores);
  assertClose([loss], [plain()], 1e-5, 'loss');
  for (const [i, [name, values]] of [...parameters].entries()) {
    const numerical = Array.from(values, (value, at) => {
      const moved = (by: number) => {
        values[at] = value + by;
        const found = plain();
        values[at] = value;
        return found;
      };
      return (moved(1e-5) - moved(-1e-5)) / 2e-5;
    });
    assertClose(gradients[i]!, numerical, 2e-4, name);
  }
  mixture.release();
});

test.run();

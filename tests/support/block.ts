// A small trainable transformer for tests of whole training steps.

import { backward } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { attention } from '../../engine/ops/attention/attention.ts';
import { crossEntropy } from '../../engine/ops/cross-entropy.ts';
import { dropout } from '../../engine/ops/dropout.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { feedForward } from '../../engine/ops/feed-forward.ts';
import { layerNorm } from '../../engine/ops/layer-norm.ts';
import { linear } from '../../engine/ops/linear.ts';
import { reshape } from '../../engine/ops/shape.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { normal } from './random.ts';

const [vocabulary, width, hidden, length, batch] = [37, 32, 64, 11, 3];

/** Builds the model on a device; `step()` trains once on a fixed batch and resolves to the loss. */
export function smallTransformer(device: Device): { step: () => Promise<number>; weights: Tensor[] } {
  let seed = 0;
  const weights: Tensor[] = [];
  const make = (name: string, ...shape: number[]) => {
    const data = normal(
      shape.reduce((p, n) => p * n, 1),
      ++seed,
    ).map((v) => 0.2 * v + (/norm\.weight/.test(name) ? 1 : 0));
    const parameter = device.parameter(shape, data, name);
    weights.push(parameter);
    return parameter;
  };
  const dense = (name: string, inputs: number, outputs: number) => ({
    weight: make(`${name}.weight`, outputs, inputs),
    bias: make(`${name}.bias`, outputs),
  });
  const norm = (name: string) => ({
    weight: make(`${name}.norm.weight`, width),
    bias: make(`${name}.norm.bias`, width),
  });
  const table = make('embedding', vocabulary, width);
  const [q, k, v, o] = ['q', 'k', 'v', 'o'].map((name) => dense(name, width, width));
  const [norm1, norm2, fc1, fc2] = [
    norm('1'),
    norm('2'),
    dense('fc1', width, hidden),
    dense('fc2', hidden, width),
  ];
  const head = dense('head', width, vocabulary);
  const adam = new Adam(weights, { lr: 1e-2 });
  const random = new Random(7);
  const next = normal(batch * length * 2, 99).map((x) => Math.abs(Math.floor(x * 100)) % vocabulary);
  const ids = device.tensor([batch, length], Int32Array.from(next.subarray(0, batch * length)));
  const targets = device.tensor([batch * length], Int32Array.from(next.subarray(batch * length)));

  const forward = () => {
    let x = embedding(table, ids);
    const y = layerNorm(x, norm1.weight, norm1.bias);
    const [query, key, value] = [q!, k!, v!].map((p) => linear(y, p.weight, p.bias));
    const mixed = attention(query!, key!, value!, { heads: 2, causal: true });
    x = linear(mixed, o!.weight, o!.bias, { residual: x });
    x = feedForward(layerNorm(x, norm2.weight, norm2.bias), fc1, fc2, x);
    const logits = linear(dropout(x, 0.1, random), head.weight, head.bias);
    return crossEntropy(reshape(logits, [batch * length, vocabulary]), targets);
  };
  const step = () =>
    device.scope(() => {
      const loss = forward();
      adam.step(backward(loss), { clipNorm: 1 });
      return loss.item();
    });
  return { step, weights };
}

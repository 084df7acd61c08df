// The network against PyTorch's numbers (cases/vgg), and what it says of wrong weights.

import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Tensor } from '../../../engine/tensor.ts';
import { ParameterError, ParameterStore } from '../../../model/parameter-store.ts';
import { Vgg, type VggConfig } from '../../../model/vgg/vgg.ts';
import { openSafetensors } from '../../../weights/safetensors.ts';
import { device } from '../../support/device.ts';
import { assertClose } from '../../support/gradient.ts';

const file = (name: string) => fileURLToPath(new URL(`../../cases/vgg/${name}`, import.meta.url));
const description = JSON.parse(fs.readFileSync(file('case.json'), 'utf8'));
const { vgg_layers: layers, vgg_pool: pool, vgg_hidden: hidden } = description.config;
const config: VggConfig = { layers, pool, hidden };

async function load(): Promise<{ weights: Map<string, Tensor>; pixels: Tensor; features: Float32Array }> {
  const stored = await openSafetensors(file('tensors.safetensors'));
  const tensors = new Map<string, Tensor>();
  for (const name of stored.names) {
    tensors.set(name, device.tensor(stored.info(name).shape, await stored.readFloats(name), { name }));
  }
  const weights = [...tensors].filter(([name]) => name.startsWith('param/'));
  return {
    weights: new Map(weights.map(([name, tensor]) => [name.slice('param/'.length), tensor])),
    pixels: tensors.get('input/pixels')!,
    features: await stored.readFloats('output/features'),
  };
}

test("the features are PyTorch's", async () => {
  const { weights, pixels, features } = await load();
  const y = new Vgg(new ParameterStore(weights), config).encode(pixels);
  assert.equal([...y.shape], [pixels.shape[0], hidden]);
  assertClose(await device.read<'f32'>(y), features, description.tolerance, 'features');
});

test('an image does not depend on the others of its batch, and the pixels outlive the call', async () => {
  const { weights, pixels, features } = await load();
  const [images, ...image] = pixels.shape;
  const all = await device.read<'f32'>(pixels);
  const size = all.length / images!;
  const last = device.tensor([1, ...image], all.slice((images! - 1) * size));
  const y = new Vgg(new ParameterStore(weights), config).encode(last);
  assertClose(
    await device.read<'f32'>(y),
    features.subarray((images! - 1) * hidden),
    description.tolerance,
    'features',
  );
  assert.not(last.released);
});

test('only the features stay in memory', async () => {
  const { weights, pixels } = await load();
  const before = device.counters.liveBytes;
  const y = device.scope(() => new Vgg(new ParameterStore(weights), config).encode(pixels));
  assert.ok(device.counters.liveBytes - before <= Math.max(256, 2 * y.bytes), 'live bytes after the call');
});

test('a missing or misshapen parameter is named in full', async () => {
  const { weights } = await load();
  const run = (tensors: ReadonlyMap<string, Tensor>) => new Vgg(new ParameterStore(tensors), config);
  const without = new Map(weights);
  without.delete('features.5.bias');
  const refused = (message: string) => (e: unknown) => e instanceof ParameterError && e.message === message;
  assert.throws(() => run(without), refused('features.5.bias: missing, expected shape [12]'));
  assert.throws(
    () => new Vgg(new ParameterStore(weights).under('vgg'), config),
    refused('vgg.features.0.weight: missing, expected shape [8,3,3,3]'),
  );
  const misshapen = new Map(weights).set('classifier.0.weight', device.zeros([40, 63]));
  assert.throws(() => run(misshapen), refused('classifier.0.weight: expected shape [40,64], found [40,63]'));
});

test.run();

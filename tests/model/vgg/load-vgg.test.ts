// VGG files: torchvision's names and timm's, tensors larger than what is sent at once, and what is refused.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WeightsError } from '../../../files/errors.ts';
import { loadTensors } from '../../../model/load-tensors.ts';
import { declared } from '../../../model/parameter-source.ts';
import { loadVgg } from '../../../model/vgg/load-vgg.ts';
import { Vgg, type VggConfig, vgg16 } from '../../../model/vgg/vgg.ts';
import { openSafetensors } from '../../../weights/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../../../weights/write-safetensors.ts';
import { device } from '../../support/device.ts';
import { normal } from '../../support/random.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-vgg-'));
test.after(() => rmSync(folder, { recursive: true }));

const specsOf = (config: VggConfig) => declared((p) => new Vgg(p, config));
const config: VggConfig = { layers: [4, 'M', 8, 'M'], pool: 2, hidden: 12 };
const weights: Record<string, TensorToWrite> = {};
for (const [name, { shape }] of specsOf(config)) {
  const data = normal(
    shape.reduce((a, b) => a * b),
    shape.length + name.length,
  );
  weights[name] = { dtype: 'F32', shape, data };
}

async function refusal(tensors: Record<string, TensorToWrite>): Promise<string> {
  const path = join(folder, 'refused.safetensors');
  await writeSafetensors(path, tensors);
  const before = device.counters.liveBytes;
  const refused = await loadVgg(device, path, config).catch((error) => error);
  assert.instance(refused, WeightsError);
  // Less is possible: the garbage collector may give back what earlier tests left.
  assert.ok(device.counters.liveBytes <= before, 'nothing stays on the device');
  return refused.message.slice(path.length + 2);
}

test("the names and shapes are torchvision's", async () => {
  const shapes = specsOf(vgg16);
  assert.is(shapes.size, 2 * (13 + 2));
  assert.equal(shapes.get('features.28.weight')!.shape, [512, 512, 3, 3]);
  assert.equal(shapes.get('classifier.0.weight')!.shape, [4096, 25_088]);
  const file = fileURLToPath(new URL('../../cases/vgg/tensors.safetensors', import.meta.url));
  const reference = await openSafetensors(file); // layers of cases/vgg/case.json
  const ours = specsOf({ layers: [8, 'M', 8, 12, 'M', 16, 'M'], pool: 2, hidden: 40 });
  const params = reference.names.filter((name) => name.startsWith('param/'));
  assert.equal([...ours.keys()].map((name) => `param/${name}`).sort(), params.sort());
  for (const [name, { shape }] of ours) assert.equal(reference.info(`param/${name}`).shape, shape, name);
  await reference.close();
});

test("timm's names and convolutions give the same features as torchvision's", async () => {
  const [torchvision, timm] = [join(folder, 'torchvision'), join(folder, 'timm')];
  const head: TensorToWrite = { dtype: 'F32', shape: [3, 12], data: new Float32Array(36) };
  await writeSafetensors(torchvision, { ...weights, 'classifier.6.weight': head });
  const {
    'classifier.0.weight': fc1,
    'classifier.0.bias': b1,
    'classifier.3.weight': fc2,
    ...rest
  } = weights;
  const { 'classifier.3.bias': b2, ...features } = rest;
  await writeSafetensors(timm, {
    ...features,
    'pre_logits.fc1.weight': { ...fc1!, shape: [12, 8, 2, 2] },
    'pre_logits.fc1.bias': b1!,
    'pre_logits.fc2.weight': { ...fc2!, shape: [12, 12, 1, 1] },
    'pre_logits.fc2.bias': b2!,
    'head.fc.weight': head,
  });
  const pixels = device.tensor([2, 3, 8, 8], normal(384, 5));
  const results: Float32Array[] = [];
  for (const file of [torchvision, timm]) {
    const { module, tensors } = await loadVgg(device, file, config);
    assert.equal([...tensors.keys()].sort(), [...specsOf(config).keys()].sort());
    const read = device.scope(() => device.read<'f32'>(module.encode(pixels)));
    results.push(await read);
    for (const tensor of tensors.values()) tensor.release();
  }
  assert.equal(results[1], results[0]);
  assert.ok(results[0]!.some((x) => x > 0));
});

test('what is missing, misshapen, of another dtype or not finite is named', async () => {
  const { 'features.3.bias': _, ...without } = weights;
  assert.is(await refusal(without), "tensor 'features.3.bias' is missing");
  const bias = weights['features.0.bias']!;
  assert.is(
    await refusal({ ...weights, 'features.0.bias': { ...bias, shape: [2, 2] } }),
    "tensor 'features.0.bias': expected shape [4], found [2,2]",
  );
  const integers = { dtype: 'I64', shape: [4], data: new BigInt64Array(4) } as const;
  assert.is(
    await refusal({ ...weights, 'features.0.bias': integers }),
    "tensor 'features.0.bias' is I64, expected F32, F16 or BF16",
  );
  const nan = { ...bias, data: Float32Array.of(0, 0, Number.NaN, 0) };
  assert.is(
    await refusal({ ...weights, 'features.0.bias': nan }),
    "tensor 'features.0.bias': element 2 is NaN",
  );
});

test('a tensor larger than what is sent at once arrives whole', async () => {
  const rows = 3001;
  const data = new Float32Array(rows * 3000);
  for (let i = 0; i < data.length; i++) data[i] = i % 65_521;
  const path = join(folder, 'large');
  await writeSafetensors(path, { large: { dtype: 'F32', shape: [rows, 3000], data } });
  const wanted = new Map([[path, [{ name: 'large', shape: [rows, 3000] }]]]);
  const { large } = Object.fromEntries(await loadTensors(device, wanted));
  assert.ok(Buffer.from(data.buffer).equals(Buffer.from((await large!.read()).buffer)));
  large!.release();
  data[data.length - 2] = Number.NaN;
  await writeSafetensors(path, { large: { dtype: 'F32', shape: [rows, 3000], data } });
  const refused = await loadTensors(device, wanted).catch((error) => error);
  assert.is(refused.message, `${path}: tensor 'large': element ${data.length - 2} is NaN`);
});

test.run();

// CLIP folders: loading from one file or from shards, on disk or over HTTP, saving in float16, and one line for each
// kind of damage.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../../engine/random.ts';
import { Clip } from '../../../model/clip/clip.ts';
import { loadClip } from '../../../model/clip/load-clip.ts';
import { saveClip } from '../../../model/clip/save-clip.ts';
import { initialise } from '../../../model/initialise.ts';
import { f16ToF32, f32ToF16 } from '../../../weights/half.ts';
import { type TensorToWrite, writeSafetensors } from '../../../weights/write-safetensors.ts';
import { device } from '../../support/device.ts';
import { startFakeHub } from '../../weights/fake-hub.ts';

const config = {
  text: { width: 8, hidden: 32, heads: 2, layers: 1, vocabulary: 20, maxLength: 6 },
  vision: { width: 12, hidden: 48, heads: 3, layers: 2, imageSize: 8, patchSize: 4 },
  projection: 4,
};
const vocabulary = { vocab: { a: 0 }, merges: '#version: 0.2\n', bosId: 18, eosId: 19 };
const folder = mkdtempSync(join(tmpdir(), 'dsmip-weights-'));
const { tensors: fresh } = initialise(device, new Random(3), (p) => new Clip(p, config));

test('a saved CLIP loads with the values that float16 keeps, frozen or trainable', async () => {
  const out = join(folder, 'saved');
  await saveClip(out, config, fresh, vocabulary);
  assert.equal(readdirSync(out).sort(), [
    'config.json',
    'files.json',
    'merges.txt',
    'model.safetensors',
    'vocab.json',
  ]);
  for (const trainable of [false, true]) {
    const loaded = await loadClip(device, out, { trainable });
    assert.equal(loaded.config, config);
    assert.is(loaded.eosId, 19);
    assert.is(loaded.tensors.size, fresh.size);
    for (const [name, tensor] of loaded.tensors) {
      const expected = f16ToF32(f32ToF16(await device.read<'f32'>(fresh.get(name)!)));
      assert.equal(await tensor.read(), expected, name);
      assert.is(tensor.requiresGrad, trainable);
      tensor.release();
    }
  }
});

test('shards are found by their index', async () => {
  const out = join(folder, 'sharded');
  await saveClip(out, config, fresh, vocabulary);
  rmSync(join(out, 'model.safetensors'));
  const weight_map: Record<string, string> = {};
  const shards: Record<string, Parameters<typeof writeSafetensors>[1]> = {
    'one.safetensors': {},
    'two.safetensors': {},
  };
  for (const [i, [name, { shape }]] of [...fresh].entries()) {
    const shard = Object.keys(shards)[i % 2]!;
    weight_map[name] = shard;
    const data = await device.read<'f32'>(fresh.get(name)!);
    shards[shard] = { ...shards[shard], [name]: { dtype: 'F32', shape, data } };
  }
  for (const [shard, tensors] of Object.entries(shards)) await writeSafetensors(join(out, shard), tensors);
  const index = join(out, 'model.safetensors.index.json');
  writeFileSync(index, JSON.stringify({ weight_map }));
  const { tensors } = await loadClip(device, out);
  for (const [name, tensor] of tensors) {
    assert.equal(await tensor.read(), await fresh.get(name)!.read(), name);
    tensor.release();
  }
  writeFileSync(index, JSON.stringify({ weight_map: { ...weight_map, logit_scale: '../one.safetensors' } }));
  await refuses(out, `${index}: weight_map: 'logit_scale': expected a file name, found "../one.safetensors"`);
  writeFileSync(index, JSON.stringify({ weight_map: { ...weight_map, logit_scale: undefined } }));
  await refuses(out, `${index}: weight_map: tensor 'logit_scale' is missing`);
  writeFileSync(index, '{}');
  await refuses(out, `${index}: weight_map: expected an object of file names by tensor`);
  writeFileSync(index, JSON.stringify({ weight_map }));
});

test('a folder behind an address loads as from disk, in one file or in shards', async () => {
  const server = await startFakeHub();
  const serve = (from: string) => {
    server.files.clear();
    for (const name of readdirSync(from))
      server.files.set(`/models/clip/${name}`, new Uint8Array(readFileSync(join(from, name))));
  };
  for (const name of ['saved', 'sharded']) {
    serve(join(folder, name));
    const here = await loadClip(device, join(folder, name));
    const there = await loadClip(device, `${server.url}/models/clip`);
    assert.equal(there.config, here.config);
    assert.equal([...there.tensors.keys()].sort(), [...here.tensors.keys()].sort());
    for (const name of ['logit_scale', 'text_projection.weight', 'visual_projection.weight'])
      assert.equal(await there.tensors.get(name)!.read(), await here.tensors.get(name)!.read(), name);
    for (const tensor of [...there.tensors.values(), ...here.tensors.values()]) tensor.release();
  }
  server.files.delete('/models/clip/config.json');
  await refuses(
    `${server.url}/models/clip`,
    `${server.url}/models/clip/config.json: no such file (status 404)`,
  );
  await server.close();
});

test('weights that are not finite are refused by name and place', async () => {
  const out = join(folder, 'not-finite');
  await saveClip(out, config, fresh, vocabulary);
  const path = join(out, 'model.safetensors');
  const tensors: Record<string, TensorToWrite> = {};
  for (const [name, { shape }] of fresh)
    tensors[name] = { dtype: 'F32', shape, data: await device.read<'f32'>(fresh.get(name)!) };
  for (const [dtype, bad, shown] of [
    ['F32', Float32Array.of(0, Number.NaN, 0, 0), 'NaN'],
    ['F16', f32ToF16(Float32Array.of(0, 1e6, 0, 0)), 'Infinity'],
    ['BF16', Uint16Array.of(0, 0xff80, 0, 0), '-Infinity'],
  ] as const) {
    const name = 'text_projection.weight';
    const data = new (bad.constructor as Uint16ArrayConstructor)(32);
    data.set(bad);
    await writeSafetensors(path, { ...tensors, [name]: { dtype, shape: [4, 8], data } });
    await refuses(out, `${path}: tensor '${name}': element 1 is ${shown}`);
  }
});

test('the token that ends a text: configurations of 2022 say 2 and mean the last id', async () => {
  const out = join(folder, 'eos');
  await saveClip(out, config, fresh, vocabulary);
  const fields = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
  for (const [said, meant] of [
    [2, 19],
    [18, 18],
  ]) {
    fields.text_config.eos_token_id = said;
    writeFileSync(join(out, 'config.json'), JSON.stringify(fields));
    const loaded = await loadClip(device, out);
    assert.is(loaded.eosId, meant);
    for (const tensor of loaded.tensors.values()) tensor.release();
  }
});

test('missing files and tensors of another shape are named, and nothing stays on the device', async () => {
  const out = join(folder, 'damaged');
  await refuses(out, `${join(out, 'config.json')}: no such file`);
  await saveClip(out, { ...config, projection: 4 }, fresh, vocabulary);
  const before = device.counters.liveBytes;
  const wider = JSON.stringify({
    ...JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')),
    projection_dim: 5,
  });
  writeFileSync(join(out, 'config.json'), wider);
  await refuses(
    out,
    `${join(out, 'model.safetensors')}: tensor 'text_projection.weight': expected shape [5,8], found [4,8]`,
  );
  // Less is possible: the garbage collector may give back what earlier tests left.
  assert.ok(device.counters.liveBytes <= before, `${device.counters.liveBytes} bytes, ${before} before`);
  rmSync(join(out, 'model.safetensors'));
  await refuses(out, `${join(out, 'model.safetensors')}: no such file`);
});

test('float16: nearest, ties to even, subnormal, too large, and what is no number', () => {
  const cases: [number, number][] = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -20, 0x3c01],
    [2 - 2 ** -12, 0x4000],
    [65504, 0x7bff],
    [65519.996, 0x7bff],
    [65520, 0x7c00],
    [-1e30, 0xfc00],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [2 ** -14, 0x0400],
    [2 ** -14 - 2 ** -25, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [1.5 * 2 ** -25, 0x0001],
    [3 * 2 ** -25, 0x0002],
    [1e-30, 0x0000],
  ];
  assert.equal(
    [...f32ToF16(Float32Array.from(cases, ([value]) => value))],
    cases.map(([, half]) => half),
  );
  assert.ok(Number.isNaN(f16ToF32(f32ToF16(Float32Array.of(Number.NaN)))[0]));
  const halves = Uint16Array.from({ length: 65_536 }, (_, i) => i).filter(
    (half) => (half & 0x7fff) <= 0x7c00,
  );
  assert.equal(f32ToF16(f16ToF32(halves)), halves);
});

test.after(() => {
  for (const tensor of fresh.values()) tensor.release();
  rmSync(folder, { recursive: true });
});

test.run();

async function refuses(path: string, message: string): Promise<void> {
  try {
    await loadClip(device, path);
  } catch (error) {
    assert.is((error as Error).message, message);
    return;
  }
  assert.unreachable('expected an error');
}

// Properties of the encoder that no reference case shows: padding, positions, pooling, names in checkpoints, what is refused.

import * as fs from 'node:fs';
import * as os from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadWordPiece } from '../../../data/text/wordpiece/wordpiece-files.ts';
import { backward } from '../../../engine/autograd.ts';
import { ShapeError } from '../../../engine/errors.ts';
import { mul } from '../../../engine/ops/elementwise.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { WeightsError } from '../../../files/errors.ts';
import { packageRoot } from '../../../files/package-path.ts';
import { type BertBatch, type BertDropout, firstTokens, meanEmbeds } from '../../../model/bert/bert.ts';
import { type LoadedBert, loadBert } from '../../../model/bert/load-bert.ts';
import { saveBert } from '../../../model/bert/save-bert.ts';
import { sentenceVectors } from '../../../model/bert/sentence-vectors.ts';
import { f32ToF16 } from '../../../weights/half.ts';
import { type TensorToWrite, writeSafetensors } from '../../../weights/write-safetensors.ts';
import { device } from '../../support/device.ts';
import { assertClose } from '../../support/gradient.ts';
import { normal } from '../../support/random.ts';
import { smallBert, smallBertTensors, writeSmallBert } from '../../support/small-bert.ts';

const root = fs.mkdtempSync(join(os.tmpdir(), 'dsmip-bert-'));
test.after(() => fs.rmSync(root, { recursive: true }));
const folder = join(root, 'plain');
await writeSmallBert(folder);
const { module: bert } = await loadBert(device, folder);

const texts = [
  [5, 10, 11, 6],
  [5, 20, 21, 22, 23, 24, 6],
  [5, 6],
];
const encode = (batch: BertBatch, of = bert) =>
  device.scope(() => of.encode(batch).read()) as Promise<Float32Array>;

function batchOf(rows: readonly number[][], length = Math.max(...rows.map((row) => row.length))): BertBatch {
  const ids = new Int32Array(rows.length * length);
  const mask = new Int32Array(rows.length * length);
  for (const [b, row] of rows.entries()) {
    ids.set(row, b * length);
    mask.fill(1, b * length, b * length + row.length);
  }
  return { ids, mask, count: rows.length, length };
}

test('padding and what stands on it change nothing', async () => {
  const { width } = smallBert;
  const padded = batchOf(texts, 11);
  const filled = { ...padded, ids: padded.ids.map((id, i) => (padded.mask[i] === 1 ? id : (i * 7) % 60)) };
  for (const batch of [padded, filled]) {
    const together = await encode(batch);
    for (const [b, text] of texts.entries()) {
      const alone = await encode(batchOf([text]));
      const rows = together.subarray(b * 11 * width, (b * 11 + text.length) * width);
      assertClose(rows, alone, 1e-6, `text ${b}`);
    }
  }
});

test('positions and types: the usual ones said are the usual ones, others count', async () => {
  const batch = batchOf([texts[1]!]);
  const usual = await encode(batch);
  const positions = Int32Array.from({ length: 7 }, (_, i) => i);
  assertClose(await encode({ ...batch, positions, types: new Int32Array(7) }), usual, 1e-6, 'said');
  const moved = await encode({ ...batch, positions: positions.map((at) => at + 3) });
  const typed = await encode({ ...batch, types: new Int32Array(7).fill(1) });
  for (const other of [moved, typed]) assert.ok(Math.abs(other[0]! - usual[0]!) > 1e-3);
});

test('dropout: the draws decide, a rate of 0 changes nothing, and the mean over many draws is near the usual', async () => {
  const batch = batchOf(texts);
  const dropped = (rate: number, seed: number) =>
    device.scope(() => firstTokens(bert.encode(batch, { rate, random: new Random(seed) })).read());
  const usual = await device.scope(() => firstTokens(bert.encode(batch)).read());
  assertClose(await dropped(0, 1), usual, 1e-6, 'rate 0');
  assert.equal(await dropped(0.1, 1), await dropped(0.1, 1));
  assert.not.equal(await dropped(0.1, 1), await dropped(0.1, 2));
  const mean = new Float64Array(usual.length);
  for (let seed = 0; seed < 100; seed++) {
    const one = await dropped(0.02, seed);
    for (const [i, x] of one.entries()) mean[i]! += x / 100;
  }
  assertClose(mean, usual, 0.15, 'mean');
});

test('first tokens alone are those of all tokens, with the same gradients, also where some of it is dropped', async () => {
  const trained = await loadBert(device, folder, { trainable: true });
  const { width } = smallBert;
  const probe = normal(texts.length * width, 7);
  /** Values, and the gradients of all parameters one after the other: those of keys' biases are rounding and nothing else. */
  const both = async (first: (dropped?: BertDropout) => Tensor, rate: number) => {
    const [values, ...gradients] = await device.scope(() => {
      const y = first(rate > 0 ? { rate, random: new Random(5) } : undefined);
      const found = backward(sum(mul(y, device.tensor(y.shape, probe))));
      const reached = [...trained.tensors.values()].flatMap((tensor) => found.get(tensor) ?? []);
      return Promise.all([y, ...reached].map((tensor) => tensor.read() as Promise<Float32Array>));
    });
    return { values: values!, gradients: gradients.flatMap((one) => [...one]) };
  };
  for (const [rate, length] of [
    [0, 7],
    [0, 9],
    [0.3, 9],
  ] as const) {
    const batch = batchOf(texts, length);
    const alone = await both((dropped) => trained.module.encodeFirst(batch, dropped), rate);
    const all = await both((dropped) => firstTokens(trained.module.encode(batch, dropped)), rate);
    assertClose(alone.values, all.values, 1e-6, 'values');
    assert.is(alone.gradients.length, all.gradients.length);
    assertClose(alone.gradients, all.gradients, 1e-6, 'gradients');
  }
  release(trained);
});

test('what is saved loads again, rounded to float16', async () => {
  const other = join(root, 'saved');
  const { tokens } = await loadWordPiece(folder);
  const loaded = await loadBert(device, folder);
  await saveBert(other, loaded.config, loaded.tensors, tokens);
  assert.equal(fs.readdirSync(other).sort(), ['config.json', 'files.json', 'model.safetensors', 'vocab.txt']);
  const again = await loadBert(device, other);
  assert.equal(again.config, loaded.config);
  assert.equal((await loadWordPiece(other)).tokens, tokens);
  const batch = batchOf(texts);
  assertClose(await encode(batch, again.module), await encode(batch), 5e-3, 'hidden');
  release(loaded);
  release(again);
});

test('the mean of real tokens, at length 1', async () => {
  const { width } = smallBert;
  const batch = batchOf(texts, 9);
  const [hidden, embeds] = await device.scope(() => {
    const hidden = bert.encode(batch);
    return Promise.all([hidden.read(), meanEmbeds(hidden, batch.mask).read()]);
  });
  for (const [b, text] of texts.entries()) {
    const mean = new Float64Array(width);
    for (let t = 0; t < text.length; t++) {
      for (let i = 0; i < width; i++) mean[i]! += hidden![(b * 9 + t) * width + i]! / text.length;
    }
    const length = Math.hypot(...mean);
    const found = (embeds as Float32Array).subarray(b * width, (b + 1) * width);
    assertClose(
      found,
      mean.map((x) => x / length),
      1e-5,
      `text ${b}`,
    );
  }
});

const names: [what: string, rename: (name: string) => string][] = [
  ['a prefix', (name) => `bert.${name}`],
  [
    "TensorFlow's norms",
    (name) => name.replace('Norm.weight', 'Norm.gamma').replace('Norm.bias', 'Norm.beta'),
  ],
  ['both', (name) => `bert.${name.replace('Norm.weight', 'Norm.gamma').replace('Norm.bias', 'Norm.beta')}`],
];
for (const [i, [what, rename]] of names.entries())
  test(`a checkpoint whose names have ${what} is the same network`, async () => {
    const other = join(root, `names-${i}`);
    await writeSmallBert(other, rename);
    const loaded = await loadBert(device, other);
    const batch = batchOf(texts);
    assert.equal(await encode(batch, loaded.module), await encode(batch));
    assert.ok(loaded.tensors.has('encoder.layer.1.output.LayerNorm.weight'), 'names are the plain ones');
    release(loaded);
  });

for (const [dtype, convert, tolerance] of [
  ['F16', f32ToF16, 2e-3],
  ['BF16', f32ToBf16, 2e-2],
] as const)
  test(`weights in ${dtype} beside the heads of pretraining: the same network, rounded`, async () => {
    const other = join(root, dtype);
    await writeSmallBert(other);
    const tensors = Object.entries(smallBertTensors()).map(
      ([name, { shape, data }]) =>
        [`bert.${name}`, { dtype, shape, data: convert(data as Float32Array<ArrayBuffer>) }] as const,
    );
    const heads = ['cls.predictions.bias', 'cls.seq_relationship.weight', 'bert.embeddings.position_ids'];
    const more = heads.map(
      (name) => [name, { dtype: 'F32', shape: [3], data: new Float32Array(3) }] as const,
    );
    await writeSafetensors(
      join(other, 'model.safetensors'),
      Object.fromEntries<TensorToWrite>([...tensors, ...more]),
    );
    const loaded = await loadBert(device, other);
    const batch = batchOf(texts);
    assertClose(await encode(batch, loaded.module), await encode(batch), tolerance, dtype);
    assert.not([...loaded.tensors.keys()].some((name) => name.startsWith('cls')));
    release(loaded);
  });

/** The upper halves of the bits, rounded to even. */
function f32ToBf16(values: Float32Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}

test('the pooler is loaded where it is asked for, and trained weights have gradients', async () => {
  const { width } = smallBert;
  const loaded = await loadBert(device, folder, { pooler: true, trainable: true });
  const batch = batchOf(texts);
  const [first, pooled] = await device.scope(() => {
    const hidden = loaded.module.encode(batch);
    return Promise.all([firstTokens(hidden).read(), loaded.pooler!.pool(hidden).read()]);
  });
  const weights = smallBertTensors();
  const [w, b] = ['weight', 'bias'].map((name) => weights[`pooler.dense.${name}`]!.data as Float32Array);
  const expected = Float64Array.from({ length: 3 * width }, (_, i) => {
    const [row, out] = [Math.floor(i / width), i % width];
    let sum = b![out]!;
    for (let k = 0; k < width; k++) sum += first![row * width + k]! * w![out * width + k]!;
    return Math.tanh(sum);
  });
  assertClose(pooled!, expected, 1e-5, 'pooled');
  assert.ok([...loaded.tensors.values()].every((tensor) => tensor.requiresGrad));
  release(loaded);
  assert.is((await loadBert(device, folder)).pooler, null);
});

test('a checkpoint without a tensor is refused with its plain name, and leaves nothing on the device', async () => {
  const other = join(root, 'missing');
  await writeSmallBert(other, (name) =>
    name.replace('layer.1.output.dense.bias', 'layer.1.output.dense.none'),
  );
  const before = device.counters.liveBytes;
  const error = await loadBert(device, other).catch((error: Error) => error);
  assert.instance(error, WeightsError);
  assert.match((error as Error).message, /model\.safetensors: .*encoder\.layer\.1\.output\.dense\.bias/);
  assert.ok(device.counters.liveBytes <= before);
});

test('batches that do not fit are refused', async () => {
  const batch = batchOf([texts[1]!]);
  const wrong: [Partial<BertBatch>, RegExp][] = [
    [{ ids: batch.ids.map(() => 60) }, /token id 60, the vocabulary 60/],
    [{ mask: Int32Array.of(1, 0, 1, 1, 1, 1, 1) }, /not ones followed by zeros/],
    [{ types: new Int32Array(7).fill(2) }, /types\[0\] is 2, expected less than 2/],
    [{ types: new Int32Array(6) }, /6 types, expected 7/],
    [{ positions: new Int32Array(7).fill(20) }, /positions\[0\] is 20, expected less than 20/],
  ];
  for (const [part, message] of wrong) {
    assert.throws(
      () => device.scope(() => bert.encode({ ...batch, ...part })),
      (error: Error) => error instanceof ShapeError && message.test(error.message),
    );
  }
  const long = batchOf([Array.from({ length: 21 }, () => 5)]);
  assert.throws(() => device.scope(() => bert.encode(long)), /texts of 21 tokens, the encoder takes 20/);
});

function release(loaded: LoadedBert): void {
  for (const tensor of loaded.tensors.values()) tensor.release();
}

// all-MiniLM-L6-v2 itself, where it was downloaded (`dsmip download all-minilm-l6-v2`): its weights are not in the repository.
const miniLm = join(packageRoot(), 'weights', 'all-minilm-l6-v2');
const isThere = fs.existsSync(join(miniLm, 'model.safetensors'));
if (!isThere) console.log(`skipped: ${miniLm} is not there`);
const fixture = new URL('minilm-similarities.json', import.meta.url);

(isThere ? test : test.skip)('similarities of twenty pairs are those of transformers', async () => {
  const { pairs, maxLength } = JSON.parse(fs.readFileSync(fixture, 'utf8')) as {
    pairs: { first: string; second: string; similarity: number }[];
    maxLength: number;
  };
  assert.is(pairs.length, 20);
  const [{ module }, tokenizer] = [await loadBert(device, miniLm), await loadWordPiece(miniLm)];
  const texts = pairs.flatMap(({ first, second }) => [first, second]);
  const vectors: Float32Array[] = [];
  for await (const { places, rows } of sentenceVectors(module, tokenizer, texts, maxLength)) {
    for (const [i, place] of places.entries()) vectors[place] = rows.subarray(i * 384, (i + 1) * 384);
  }
  for (const [i, { first, second, similarity }] of pairs.entries()) {
    const [a, b] = [vectors[2 * i]!, vectors[2 * i + 1]!];
    const found = a.reduce((sum, x, k) => sum + x * b[k]!, 0);
    assert.ok(Math.abs(found - similarity) < 1e-5, `${first} | ${second}: ${found}, expected ${similarity}`);
  }
});

test.run();

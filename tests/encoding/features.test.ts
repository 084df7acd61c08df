// Tables of frozen features: what comes out of them is what the encoder makes of the same rows, however they were batched.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jpeg from 'jpeg-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PixelSource } from '../../data/images/pixel-source.ts';
import type { Preprocessing } from '../../data/images/preprocess.ts';
import { keptTable } from '../../encoding/feature-cache.ts';
import {
  encodeImages,
  encodeTexts,
  type FeatureTable,
  imageRows,
  inMemory,
  meanTokens,
  raggedTextRows,
  spreadRows,
  textRows,
} from '../../encoding/features.ts';
import { pickTexts, type TextBatch, type Tokens } from '../../encoding/samples.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { Clip, type Features } from '../../model/clip/clip.ts';
import { initialise } from '../../model/initialise.ts';
import { device } from '../support/device.ts';

const config = {
  text: { width: 8, hidden: 16, heads: 2, layers: 2, vocabulary: 20, maxLength: 12 },
  vision: { width: 12, hidden: 24, heads: 3, layers: 1, imageSize: 8, patchSize: 4 },
  projection: 6,
};
const { module: clip } = initialise(device, new Random(4), (p) => new Clip(p, config));
const prompts = (width: number) => [
  device.tensor(
    [2, width],
    Float32Array.from({ length: 2 * width }, (_, i) => Math.sin(i)),
  ),
];

const textEncoder = (own: Tensor[]) => ({
  device,
  width: 8,
  projection: 6,
  prompts: own.length > 0 ? 2 : 0,
  encode: (texts: TextBatch) => clip.text.encode(texts, own),
});
const imageEncoder = (own: Tensor[]) => ({
  device,
  width: 12,
  projection: 6,
  tokens: (own.length > 0 ? 2 : 0) + 5,
  encode: (pixels: Tensor) => clip.vision.encode(pixels, own),
});

/** Texts of 3 to 11 tokens, 70 of them: more than one batch. */
function tokens(): Tokens {
  const [count, length] = [70, 11];
  const lengths = Int32Array.from({ length: count }, (_, i) => 3 + ((5 * i) % 9));
  const mask = new Int32Array(count * length).map((_, i) =>
    i % length < lengths[Math.floor(i / length)]! ? 1 : 0,
  );
  const ids = mask.map((real, i) => (real ? (7 * i) % 19 : 19));
  return { ids, mask, lengths, count, length };
}

async function close(found: Features, expected: Features, real?: Int32Array): Promise<void> {
  const [a, b] = [await device.read<'f32'>(found.embeds), await device.read<'f32'>(expected.embeds)];
  assert.ok(a.every((x, i) => Math.abs(x - b[i]!) < 1e-5));
  const [c, d] = [await device.read<'f32'>(found.tokens), await device.read<'f32'>(expected.tokens)];
  assert.is(c.length, d.length);
  const width = found.tokens.shape.at(-1)!;
  // Padding is zero in a table, and nobody looks at it.
  assert.ok(c.every((x, i) => (real && !real[Math.floor(i / width)] ? x === 0 : Math.abs(x - d[i]!) < 1e-5)));
}

for (const how of ['without', 'with'] as const) {
  test(`texts ${how} prompts`, async () => {
    const texts = tokens();
    const own = how === 'with' ? prompts(8) : [];
    const table = await inMemory(encodeTexts(textEncoder(own), texts));
    const rows = [68, 3, 3, 0];
    const found = textRows(device, table, rows);
    // The table pads to a multiple of four tokens with prompts counted, the encoder without.
    const batch = pickTexts(texts, rows);
    const direct = clip.text.encode(batch, own);
    const most = Math.min(found.tokens.shape[1]!, direct.tokens.shape[1]!);
    const mask = await device.read<'i32'>(found.mask);
    const L = found.tokens.shape[1]!;
    rows.forEach((row, b) => {
      const real = (how === 'with' ? 2 : 0) + texts.lengths[row]!;
      assert.ok(real <= most);
      assert.is(
        mask.subarray(b * L, (b + 1) * L).reduce((sum, x) => sum + x, 0),
        real,
      );
    });
    if (L === direct.tokens.shape[1]) await close(found, direct, mask);
    else {
      const [a, b] = [await device.read<'f32'>(found.embeds), await device.read<'f32'>(direct.embeds)];
      assert.ok(a.every((x, i) => Math.abs(x - b[i]!) < 1e-5));
    }
  });

  test(`images ${how} prompts; the zero image is number 0`, async () => {
    const own = how === 'with' ? prompts(12) : [];
    const how8 = {
      shortSide: 8,
      crop: 8,
      filter: 'bicubic',
      round: 'floor',
      mean: [0, 0, 0],
      std: [1, 1, 1],
    } as const;
    const source = new PixelSource([null, '/nowhere/a.jpg'], { ...how8, mean: [0, 0, 0], std: [1, 1, 1] });
    const table = await inMemory(encodeImages(imageEncoder(own), source, [0, 1]));
    const direct = clip.vision.encode(device.zeros([2, 3, 8, 8]), own);
    await close(imageRows(device, table, [1, 0]), direct);
    assert.equal(source.takeProblems('toy'), [
      'toy: 1 image file missing, zeros in its place (/nowhere/a.jpg: no such file)',
    ]);
    assert.equal(source.takeProblems('toy'), []);
  });
}

test('a table that stays in its file gives the same rows as one in memory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dsmip-table-'));
  const encoder = textEncoder(prompts(8));
  let encoded = 0;
  const warnings: string[] = [];
  const make = () => {
    const table = encodeTexts(encoder, tokens());
    const rows = () => {
      encoded++;
      return table.rows();
    };
    return { ...table, rows };
  };
  const memory = await inMemory(make());
  for (const when of ['made', 'found', 'damaged']) {
    const file = join(folder, 'key.safetensors');
    if (when === 'damaged') writeFileSync(file, readFileSync(file).subarray(0, 3000));
    const table = await keptTable(
      { cache: folder, onWarning: (line) => warnings.push(line) },
      () => 'key',
      make(),
      100,
    );
    assert.not.instance(table.tokens, Float32Array);
    for (const pick of [textRows, raggedTextRows]) {
      const [a, b] = [pick(device, table, [68, 3, 0]), pick(device, memory, [68, 3, 0])];
      assert.equal([...(await a.tokens.read())], [...(await b.tokens.read())], when);
      assert.equal([...(await a.embeds.read())], [...(await b.embeds.read())], when);
    }
    assert.equal(meanTokens(table), meanTokens(memory));
  }
  assert.is(encoded, 3);
  assert.is(warnings.length, 1);
  assert.match(warnings[0]!, /key\.safetensors: .*; it is made again$/);
  rmSync(folder, { recursive: true });
});

test('tables in use are shared, within a folder and without one, but where nothing is kept', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dsmip-table-'));
  const unasked = (): never => {
    throw new Error('the key of what is not kept was asked for');
  };
  for (const where of [folder, '']) {
    const make = () => encodeTexts(textEncoder(prompts(8)), tokens());
    const table = await keptTable({ cache: where }, () => `shared ${where === ''}`, make());
    assert.is(await keptTable({ cache: where }, () => `shared ${where === ''}`, make()), table);
    assert.is.not(await keptTable({ cache: null }, unasked, make()), table);
  }
  rmSync(folder, { recursive: true });
});

test('an image that could not be read is tried again whenever its table is asked for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dsmip-table-'));
  const file = join(folder, 'a.jpg');
  const how: Preprocessing = {
    shortSide: 8,
    crop: 8,
    filter: 'bicubic',
    round: 'floor',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
  const table = (key: string) => {
    const source = new PixelSource([null, file], how);
    const kept = keptTable(
      { cache: join(folder, 'cache') },
      () => key,
      encodeImages(imageEncoder([]), source, [0, 1]),
    );
    return kept.then((found) => ({ found, problems: source.takeProblems('toy') }));
  };
  const zeros = await table('key');
  assert.is(zeros.problems.length, 1);
  // The key is the same: nobody noticed that the file is there now.
  const again = await table('key');
  assert.equal(again.problems, zeros.problems);
  const grey = new Uint8Array(4 * 8 * 8).fill(200);
  writeFileSync(file, jpeg.encode({ data: grey, width: 8, height: 8 }, 90).data);
  const mended = await table('key');
  assert.equal(mended.problems, []);
  const rowOf = ({ tokens, width }: FeatureTable, row: number) => [
    ...(tokens as Float32Array).subarray(5 * width * row, 5 * width * (row + 1)),
  ];
  assert.equal(rowOf(zeros.found, 1), rowOf(zeros.found, 0));
  assert.not.equal(rowOf(mended.found, 1), rowOf(mended.found, 0));
  assert.is((await table('key')).found, mended.found);
  rmSync(folder, { recursive: true });
});

test('rows spread over more of them: each where it is to be, the others empty', () => {
  const table = {
    tokens: Float32Array.of(1, 2, 3, 4, 5, 7),
    embeds: Float32Array.of(8, 9),
    offsets: Int32Array.of(0, 1, 3),
    width: 2,
    projection: 1,
  };
  const spread = spreadRows(table, [1, 3], 5);
  assert.equal([...spread.offsets], [0, 0, 1, 1, 3, 3]);
  assert.equal([...spread.embeds], [0, 8, 0, 9, 0]);
  assert.is(spread.tokens, table.tokens);
});

test('the mean token of each row', () => {
  const table = {
    tokens: Float32Array.of(1, 2, 3, 4, 5, 7),
    embeds: Float32Array.of(0, 0),
    offsets: Int32Array.of(0, 1, 3),
    width: 2,
    projection: 1,
  };
  assert.equal([...meanTokens(table)], [1, 2, 4, 5.5]);
});

test.run();

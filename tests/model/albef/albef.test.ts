// Properties of ALBEF that no reference case shows: padding, what is left of the fusion without the image, names in
// checkpoints, what is refused. Values and gradients are the case `albef`.

import * as fs from 'node:fs';
import * as os from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ShapeError } from '../../../engine/errors.ts';
import { attention } from '../../../engine/ops/attention/attention.ts';
import { add, gelu } from '../../../engine/ops/elementwise.ts';
import { layerNorm } from '../../../engine/ops/layer-norm.ts';
import { linear } from '../../../engine/ops/linear.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { WeightsError } from '../../../files/errors.ts';
import { Albef } from '../../../model/albef/albef.ts';
import { type LoadedAlbef, loadAlbef } from '../../../model/albef/load-albef.ts';
import type { BertBatch } from '../../../model/bert/bert.ts';
import { ParameterStore } from '../../../model/parameter-store.ts';
import {
  smallAlbef,
  type smallAlbefTensors,
  smallTemperature,
  writeSmallAlbef,
} from '../../support/albef/small-albef.ts';
import { device } from '../../support/device.ts';
import { assertClose } from '../../support/gradient.ts';
import { normal } from '../../support/random.ts';

const root = fs.mkdtempSync(join(os.tmpdir(), 'dsmip-albef-'));
test.after(() => fs.rmSync(root, { recursive: true }));
const folder = join(root, 'plain');
await writeSmallAlbef(folder);
const { module: albef, tensors } = await loadAlbef(device, folder);

const { width: d, layers } = smallAlbef.text;
const { imageSize } = smallAlbef.vision;
const texts = [
  [5, 10, 11, 6],
  [5, 20, 21, 22, 23, 24, 6],
  [5, 6],
];

function batchOf(rows: readonly number[][], length = Math.max(...rows.map((row) => row.length))): BertBatch {
  const ids = new Int32Array(rows.length * length);
  const mask = new Int32Array(rows.length * length);
  const types = new Int32Array(rows.length * length);
  for (const [b, row] of rows.entries()) {
    ids.set(row, b * length);
    mask.fill(1, b * length, b * length + row.length);
    types.fill(1, b * length + 2, b * length + row.length);
  }
  return { ids, mask, types, count: rows.length, length };
}

const pixelsOf = (count: number, side = imageSize) =>
  device.tensor([count, 3, side, side], normal(count * 3 * side * side, 7));

/** F of texts, each with its image, or all with the first one's. */
const fused = (batch: BertBatch, first = 0, of: Albef = albef) =>
  device.scope(() => {
    const plane = 3 * imageSize ** 2;
    const all = normal(3 * plane, 7);
    const own = all.subarray(first * plane, (first + batch.count) * plane);
    const pixels = device.tensor([batch.count, 3, imageSize, imageSize], own);
    return of.fuse(of.encodeText(batch), of.encodeImage(pixels)).read();
  }) as Promise<Float32Array>;

test('padding of the text and what stands on it change nothing', async () => {
  const padded = batchOf(texts, 11);
  const filled = { ...padded, ids: padded.ids.map((id, i) => (padded.mask[i] === 1 ? id : (i * 7) % 60)) };
  for (const batch of [padded, filled]) {
    const together = await fused(batch);
    for (const [b, text] of texts.entries()) {
      const alone = await fused(batchOf([text]), b);
      assertClose(together.subarray(b * 11 * d, (b * 11 + text.length) * d), alone, 2e-6, `text ${b}`);
    }
  }
});

test("each token sees its own row's image, and all of it", async () => {
  const batch = batchOf([texts[1]!]);
  const [one, other] = [await fused(batch, 0), await fused(batch, 1)];
  for (let token = 0; token < 7; token++) assert.ok(Math.abs(one[token * d]! - other[token * d]!) > 1e-4);
});

test("without the cross-attention's output the fusion is BERT's layers with its LayerNorm once more", async () => {
  const silent = new Map(
    [...tensors].map(([name, tensor]) => {
      const isOutput = name.includes('.crossattention.output.dense.');
      return [name, isOutput ? device.zeros(tensor.shape) : tensor] as const;
    }),
  );
  const batch = batchOf(texts);
  const found = await fused(batch, 0, new Albef(new ParameterStore(silent), smallAlbef));
  const [B, L] = [batch.count, batch.length];
  const expected = await device.scope(() => {
    const keyMask = device.tensor([B, L], batch.mask);
    let x = albef.encodeText(batch).hidden;
    for (let layer = smallAlbef.fusionLayer; layer < layers; layer++) {
      const of = (name: string) => tensors.get(`text_encoder.encoder.layer.${layer}.${name}`)!;
      const apply = (name: string, to: Tensor) => linear(to, of(`${name}.weight`), of(`${name}.bias`));
      const norm = (name: string, to: Tensor) =>
        layerNorm(to, of(`${name}.LayerNorm.weight`), of(`${name}.LayerNorm.bias`), 1e-12);
      const [q, k, v] = ['query', 'key', 'value'].map((part) => apply(`attention.self.${part}`, x));
      const mixed = attention(q!, k!, v!, { heads: smallAlbef.text.heads, keyMask });
      const attended = norm('attention.output', add(x, apply('attention.output.dense', mixed)));
      const y = norm('crossattention.output', attended);
      x = norm('output', add(y, apply('output.dense', gelu(apply('intermediate.dense', y)))));
    }
    return x.read();
  });
  for (const [b, text] of texts.entries()) {
    const real = (of: ArrayLike<number>) =>
      Float32Array.from(of).subarray(b * L * d, (b * L + text.length) * d);
    assertClose(real(found), real(expected), 2e-6, `text ${b}`);
  }
});

test('images of another size take interpolated positions', async () => {
  const tokens = await device.scope(() => albef.encodeImage(pixelsOf(2, 24)).read());
  assert.is(tokens.length, 2 * (1 + 6 * 6) * smallAlbef.vision.width);
  assert.ok(tokens.every(Number.isFinite));
});

test('a checkpoint with `bert.` in its names is the same network; a temperature is a logit scale', async () => {
  const other = join(root, 'prefixed');
  await writeSmallAlbef(other, (all) =>
    Object.fromEntries(
      Object.entries(all).map(([name, one]) => [name.replace('text_encoder.', 'text_encoder.bert.'), one]),
    ),
  );
  const loaded = await loadAlbef(device, other, { matching: true, trainable: true });
  const batch = batchOf(texts);
  assert.equal(await fused(batch, 0, loaded.module), await fused(batch));
  assert.not(
    [...loaded.tensors.keys()].some((name) => name.includes('bert.')),
    'names are the plain ones',
  );
  assert.ok([...loaded.tensors.values()].every((tensor) => tensor.requiresGrad));
  const [scale] = await loaded.tensors.get('logit_scale')!.read();
  assert.ok(Math.abs(scale! + Math.log(smallTemperature)) < 1e-6);
  const logits = await device.scope(() => {
    const states = loaded.module.encodeText(batch);
    return loaded.matching!.logits(loaded.module.fuse(states, loaded.module.encodeImage(pixelsOf(3)))).read();
  });
  assert.is(logits.length, 6);
  release(loaded);
  assert.is((await loadAlbef(device, folder)).matching, null);
});

test('what is missing or wrong in a checkpoint is named, and leaves nothing on the device', async () => {
  const cases: [string, (all: ReturnType<typeof smallAlbefTensors>) => void, RegExp][] = [
    [
      'no-layer',
      (all) => delete all['text_encoder.encoder.layer.2.crossattention.self.key.weight'],
      /layer\.2\.crossattention\.self\.key\.weight/,
    ],
    ['no-temperature', (all) => delete all['temp'], /'temp'/],
    [
      'cold',
      (all) => {
        all['temp'] = { dtype: 'F32', shape: [], data: Float32Array.of(0) };
      },
      /tensor 'temp': expected a temperature above 0, found 0$/,
    ],
    [
      'positions',
      (all) => {
        const one = all['visual_encoder.pos_embed']!;
        one.shape = [1, 17 - 4, one.shape[2]!];
        one.data = (one.data as Float32Array<ArrayBuffer>).subarray(0, 13 * one.shape[2]!);
      },
      /pos_embed': expected shape \[1,17,36\], found \[1,13,36\]/,
    ],
  ];
  for (const [name, damage, message] of cases) {
    const other = join(root, name);
    await writeSmallAlbef(other, (all) => {
      damage(all);
      return all;
    });
    const before = device.counters.liveBytes;
    const error = await loadAlbef(device, other).catch((error: Error) => error);
    assert.instance(error, WeightsError);
    assert.match((error as Error).message, message);
    assert.ok(device.counters.liveBytes <= before, name);
  }
});

test('pixels that are no square images are refused', () => {
  for (const shape of [
    [2, 3, 16, 12],
    [2, 1, 16, 16],
    [3, 16, 16],
    [1, 3, 3, 3],
  ]) {
    assert.throws(
      () => albef.encodeImage(device.zeros(shape)),
      (error: unknown) => error instanceof ShapeError && /\[B, 3, S, S\]/.test(error.message),
    );
  }
});

function release({ tensors: own }: LoadedAlbef): void {
  for (const tensor of own.values()) tensor.release();
}

test.run();

// The students of texts: the bag by its formula, the transformer that begins as it, the loss by its formula.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Tokens } from '../../../encoding/samples.ts';
import { Random } from '../../../engine/random.ts';
import type { ClipConfig } from '../../../model/clip/clip.ts';
import { initialise } from '../../../model/initialise.ts';
import { encodeByLength } from '../../../train/clip-pretraining/text/encode-by-length.ts';
import { TextBag } from '../../../train/clip-pretraining/text/text-bag.ts';
import { studentLoss } from '../../../train/clip-pretraining/text/text-loss.ts';
import { beginTransformer, encodeTexts } from '../../../train/clip-pretraining/text/text-student.ts';
import { RandomStream } from '../../../train/random-stream.ts';
import { device } from '../../support/device.ts';

const [vocabulary, width, projection] = [50, 32, 16];
const draws = new RandomStream(9);
const numbers = (n: number, size: number) => new Float32Array(n).map(() => draws.between(-size, size));
const texts = [3, 9, 6, 6, 14, 4, 11].map(
  (n) => new Int32Array([48, ...Array.from({ length: n - 2 }, () => draws.below(48)), 49]),
);
const longest = Math.max(...texts.map(({ length }) => length));
const weights = new Map([
  ['logit_scale', Float32Array.of(3)],
  ['text_model.embeddings.token_embedding.weight', numbers(vocabulary * width, 0.1)],
  ['text_model.final_layer_norm.weight', numbers(width, 0.3).map((x) => 1 + x)],
  ['text_model.final_layer_norm.bias', numbers(width, 0.2)],
  ['text_projection.weight', numbers(projection * width, 0.3)],
]);

const { module: bag, tensors } = initialise(
  device,
  new Random(1),
  (p) => new TextBag(p, vocabulary, width, projection, 3),
);
for (const [name, tensor] of tensors) device.write(tensor, weights.get(name)!);
const tokens: Tokens = {
  ids: new Int32Array(texts.length * longest).fill(49),
  mask: new Int32Array(texts.length * longest),
  lengths: Int32Array.from(texts, ({ length }) => length),
  count: texts.length,
  length: longest,
};
texts.forEach((text, i) => {
  tokens.ids.set(text, i * longest);
  tokens.mask.fill(1, i * longest, i * longest + text.length);
});
const ofBag = await encodeTexts(device, (batch) => bag.encode(batch), tokens);

test('the bag is norm(P LN(mean of LN(E)))', () => {
  const table = weights.get('text_model.embeddings.token_embedding.weight')!;
  const [g, b] = ['weight', 'bias'].map((of) => weights.get(`text_model.final_layer_norm.${of}`)!);
  const P = weights.get('text_projection.weight')!;
  texts.forEach((tokens, t) => {
    const mean = new Array<number>(width).fill(0);
    for (const id of tokens) {
      normalised([...table.subarray(id * width, (id + 1) * width)]).forEach((x, j) => {
        mean[j]! += x / tokens.length;
      });
    }
    const h = normalised(mean).map((x, j) => x * g![j]! + b![j]!);
    const s = Array.from({ length: projection }, (_, z) =>
      h.reduce((sum, x, j) => sum + x * P[z * width + j]!, 0),
    );
    const length = Math.hypot(...s);
    s.forEach((x, z) => {
      assert.ok(Math.abs(ofBag.values[t * projection + z]! - x / length) < 1e-5, `text ${t}`);
    });
  });
});

test('a transformer that begins as the bag gives nearly its embeds; one that begins as usual does not', async () => {
  const stack = { width, hidden: 4 * width, heads: 4 };
  const config: ClipConfig = {
    text: { ...stack, layers: 3, vocabulary, maxLength: 16 },
    vision: { ...stack, layers: 1, imageSize: 8, patchSize: 8 },
    projection,
  };
  const begun = beginTransformer(device, config, weights, 0.05, 5);
  const alike = await similarities((batch) => begun.module.encoder.encode(batch).embeds);
  assert.ok(Math.min(...alike) > 0.9, `${alike}`);
  // Without the bag's own weights nothing of it is left.
  const others = new Map(weights);
  others.delete('text_projection.weight');
  const usual = beginTransformer(device, config, others, 0.05, 5);
  const unlike = await similarities((batch) => usual.module.encoder.encode(batch).embeds);
  assert.ok(Math.max(...unlike) < 0.8, `${unlike}`);
  for (const tensor of [...begun.tensors.values(), ...usual.tensors.values()]) tensor.release();
});

test('texts come back in their order, whatever their lengths', async () => {
  const one = await Promise.all(
    texts.map(async (_, t) =>
      device.scope(() =>
        device.read<'f32'>(encodeByLength(device, (batch) => bag.encode(batch), tokens, [t])),
      ),
    ),
  );
  one.forEach((embeds, t) => {
    embeds.forEach((x, z) => {
      assert.ok(Math.abs(x - ofBag.values[t * projection + z]!) < 1e-5, `text ${t}`);
    });
  });
});

test('the loss is 4 mean(1 - s.y) + 0.5 InfoNCE, pairs of one meaning left out', async () => {
  const n = 7;
  const s = unit(numbers(n * 4, 1), 4);
  const y = unit(numbers(n * 4, 1), 4);
  const step = {
    rows: [0, 1, 2, 3, 4, 5, 6],
    senses: { first: 0, count: 3, meanings: ['a', 'b', 'a'] },
    spoken: { first: 6, count: 0, meanings: [] },
  };
  const scale = Math.log(10);
  const loss = (max: number, contrast = 0.5) =>
    device.scope(() =>
      studentLoss(
        device.tensor([n, 4], s),
        device.tensor([n, 4], y),
        step,
        device.tensor([], Float32Array.of(scale)),
        { distillation: 4, senseContrast: contrast, spokenContrast: 1 },
        max,
      ).item(),
    );
  const dot = (a: Float32Array, i: number, b: Float32Array, j: number) =>
    [0, 1, 2, 3].reduce((sum, k) => sum + a[4 * i + k]! * b[4 * j + k]!, 0);
  const distance = Array.from({ length: n }, (_, i) => 1 - dot(s, i, y, i)).reduce((a, b) => a + b) / n;
  const expected = (max: number) => {
    // Entities are rows 0 to 2, mentions rows 3 to 5; pairs 0 and 2 mean the same.
    const others = [
      [0, 1],
      [0, 1, 2],
      [1, 2],
    ];
    const nll = (logit: (j: number) => number, i: number) =>
      Math.log(others[i]!.reduce((sum, j) => sum + Math.exp(logit(j)), 0)) - logit(i);
    const f = Math.min(10, max);
    const both = [0, 1, 2].map(
      (i) => nll((j) => f * dot(s, 3 + i, s, j), i) + nll((j) => f * dot(s, 3 + j, s, i), i),
    );
    return 4 * distance + (0.5 * both.reduce((a, b) => a + b)) / 6;
  };
  for (const max of [50, 5]) {
    const [found, right] = [await loss(max), expected(max)];
    assert.ok(Math.abs(found - right) < 1e-4, `${found} for ${right}`);
  }
  assert.ok(Math.abs((await loss(50, 0)) - 4 * distance) < 1e-5);
});

test.run();

/** Of each text's embed and the bag's. */
async function similarities(encode: Parameters<typeof encodeTexts>[1]): Promise<number[]> {
  const found = await encodeTexts(device, encode, tokens);
  return texts.map((_, t) =>
    Array.from({ length: projection }, (_, z) => t * projection + z).reduce(
      (sum, i) => sum + found.values[i]! * ofBag.values[i]!,
      0,
    ),
  );
}

function normalised(row: readonly number[]): number[] {
  const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
  const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
  return row.map((x) => (x - mean) / Math.sqrt(variance + 1e-5));
}

function unit(rows: Float32Array<ArrayBuffer>, of: number): Float32Array<ArrayBuffer> {
  for (let i = 0; i < rows.length; i += of) {
    const row = rows.subarray(i, i + of);
    const length = Math.hypot(...row);
    row.forEach((x, j) => {
      row[j] = x / length;
    });
  }
  return rows;
}

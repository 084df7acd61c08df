// Pretraining end to end on toys: what it writes, that it begins as the BERT, goes on where it was stopped and learns, what it
// refuses.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadAlbef } from '../../../model/albef/load-albef.ts';
import { loadBert } from '../../../model/bert/load-bert.ts';
import { type AlbefPretraining, albefSchema } from '../../../train/albef-pretraining/albef-schema.ts';
import { pretrainAlbef } from '../../../train/albef-pretraining/pretrain-albef.ts';
import { checkConfig } from '../../../train/config/check.ts';
import type { TrainingHooks } from '../../../train/hooks.ts';
import { openSafetensors } from '../../../weights/safetensors.ts';
import { device } from '../../support/device.ts';
import { assertClose } from '../../support/gradient.ts';
import { smallBert, smallVocabulary, writeSmallBert } from '../../support/small-bert.ts';
import { writeToyDataset } from '../clip-pretraining/toy.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-albef-'));
test.after(() => rmSync(folder, { recursive: true }));
const [data, bert] = [join(folder, 'data'), join(folder, 'bert')];
writeToyDataset(data);
/** A BERT with as many tokens as its configuration says, among them what tells the toy's texts apart. */
async function writeBert(where: string, more = 0): Promise<void> {
  await writeSmallBert(where);
  const known = [...smallVocabulary, ...'mouse georgia 0 1 2'.split(' ')];
  const fillers = smallBert.vocabulary - known.length + more;
  const tokens = [...known, ...Array.from({ length: fillers }, (_, i) => `filler${i}`)];
  writeFileSync(join(where, 'vocab.txt'), `${tokens.join('\n')}\n`);
}
await writeBert(bert);

const small = {
  training: { checkpointSteps: 2 },
  text: { layers: 1, length: 12 },
  fusion: { layers: 2 },
  vision: { width: 24, heads: 2, layers: 1, imageSize: 16, patchSize: 8 },
  projection: { width: 8 },
  contrast: { steps: 5, warmupSteps: 1, pairs: 3 },
};
const configOf = (name: string, more: object = {}) =>
  checkConfig(albefSchema, {
    data: { folder: data },
    bert: { folder: bert },
    run: { folder: join(folder, `${name}-run`) },
    out: { folder: join(folder, name) },
    ...small,
    ...more,
  });
const pretrain = (config: AlbefPretraining, hooks: TrainingHooks = {}) =>
  pretrainAlbef(config, device, hooks);
const weights = (name: string) => readFileSync(join(folder, name, 'model.safetensors'));
const lossesOf = (name: string): number[] =>
  readFileSync(join(folder, `${name}-run`, 'pairs', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .flatMap((line) => ('loss' in line ? [line.loss] : []));

test('a folder in float16 with the names of the released checkpoints, which loads; other weights from another seed', async () => {
  const made = await pretrain(configOf('a'));
  assert.is(lossesOf('a').length, 5);
  assert.equal([made.entities, made.images], [3, 3]);
  assert.ok(made.image.mrr > 0);
  assert.equal(readdirSync(join(folder, 'a')).sort(), [
    'config.json',
    'files.json',
    'model.safetensors',
    'vocab.txt',
  ]);
  const file = await openSafetensors(join(folder, 'a', 'model.safetensors'));
  for (const name of file.names) assert.is(file.info(name).dtype, 'F16', name);
  for (const name of ['temp', 'itm_head.weight', 'visual_encoder.blocks.0.attn.qkv.weight']) {
    assert.ok(file.has(name), name);
  }
  assert.not(file.has('logit_scale'));
  await file.close();
  const { config, tensors } = await loadAlbef(device, join(folder, 'a'), { matching: true });
  assert.equal(config.text, { ...smallBert, layers: 3 });
  assert.is(config.fusionLayer, 1);
  assert.is(
    made.parameters,
    [...tensors.values()].reduce((sum, { size }) => sum + size, 0),
  );
  for (const tensor of tensors.values()) tensor.release();
  await pretrain(configOf('c', { training: { ...small.training, seed: 2 } }));
  assert.not(weights('a').equals(weights('c')), 'another seed, other weights');
});

test('embeddings and lower layers begin as those of the BERT', async () => {
  // A learning rate of nothing leaves what it began with.
  await pretrain(configOf('still', { contrast: { ...small.contrast, steps: 1, learningRate: 0 } }));
  const [albef, start] = [await loadAlbef(device, join(folder, 'still')), await loadBert(device, bert)];
  const read = (tensor: unknown) => device.read<'f32'>(tensor as Parameters<typeof device.read>[0]);
  for (const [name, tensor] of start.tensors) {
    const [own, expected] = [await read(albef.tensors.get(`text_encoder.${name}`)), await read(tensor)];
    if (name.startsWith('encoder.layer.1.') && name.endsWith('query.weight')) {
      assert.ok(
        own.some((value, i) => Math.abs(value - expected[i]!) > 0.1),
        'fusion begins afresh',
      );
    }
    if (!name.startsWith('encoder.layer.1.')) assertClose(own, expected, 1e-3, name);
  }
  for (const tensor of [...albef.tensors.values(), ...start.tensors.values()]) tensor.release();
});

test('stopped in the middle it goes on to the same bytes', async () => {
  const stop = new AbortController();
  const onProgress = ({ done }: { done: number }) => {
    if (done === 3) stop.abort(new Error('stopped'));
  };
  const error = await pretrain(configOf('b'), { signal: stop.signal, onProgress }).catch((e: Error) => e);
  assert.is((error as Error).message, 'stopped');
  assert.not(existsSync(join(folder, 'b', 'model.safetensors')));
  const again: number[] = [];
  await pretrain(configOf('b'), { resume: true, onProgress: ({ done }) => again.push(done) });
  assert.ok(again.length <= 3, 'two steps were kept');
  assert.ok(weights('a').equals(weights('b')));
});

test('pairs of three entities are learned', async () => {
  const contrast = { ...small.contrast, steps: 60, learningRate: 3e-3 };
  const { image } = await pretrain(configOf('long', { training: { checkpointSteps: 60 }, contrast }));
  const losses = lossesOf('long');
  const mean = (some: number[]) => some.reduce((sum, loss) => sum + loss, 0) / some.length;
  assert.ok(mean(losses.slice(-10)) < 0.5 * mean(losses.slice(0, 10)), `${losses}`);
  assert.is(image['hits@1'], 100);
});

test('bad input is one line, and nothing is written', async () => {
  const none = join(folder, 'no-images');
  writeToyDataset(none);
  rmSync(join(none, 'kb_image'), { recursive: true });
  const odd = join(folder, 'odd-bert');
  await writeBert(odd, 2);
  const cases: [object, RegExp][] = [
    [{ contrast: { stepz: 3 } }, /^contrast\.stepz: there is no such field$/],
    [
      { vision: { ...small.vision, heads: 5 } },
      /^vision\.heads: expected a divisor of the width 24, found 5$/,
    ],
    [{ vision: { ...small.vision, patchSize: 17 } }, /^vision\.patchSize: expected at most/],
    [
      { text: { layers: 3, length: 12 } },
      /^text\.layers: expected at most the 2 layers of the BERT, found 3$/,
    ],
    [
      { text: { layers: 1, length: 21 } },
      /^text\.length: expected at most the 20 tokens of the BERT, found 21$/,
    ],
    [{ bert: { folder: join(folder, 'nowhere') } }, /nowhere.*no such file/],
    [{ bert: { folder: odd } }, /vocabulary has \d+ tokens, its config\.json 60$/],
    [{ data: { folder: none } }, /no-images: 0 entities with images, expected 2 at least$/],
  ];
  for (const [more, expected] of cases) {
    const error = await (async () => pretrain(configOf('none', more)))().catch((e: Error) => e);
    assert.match((error as Error).message, expected);
    assert.not((error as Error).message.includes('\n'));
    assert.not(existsSync(join(folder, 'none')), (error as Error).message);
  }
});

test.run();

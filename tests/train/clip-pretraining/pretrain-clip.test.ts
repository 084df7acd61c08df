// Pretraining end to end on toys: what it writes, that it goes on where it was stopped, what it refuses.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadTokenizer } from '../../../data/text/tokenizer-files.ts';
import { loadClip } from '../../../model/clip/load-clip.ts';
import { type ClipPretraining, clipSchema } from '../../../train/clip-pretraining/clip-schema.ts';
import { pretrainClip } from '../../../train/clip-pretraining/pretrain-clip.ts';
import { checkConfig } from '../../../train/config/check.ts';
import type { TrainingHooks } from '../../../train/hooks.ts';
import { device } from '../../support/device.ts';
import { small, toyTeacher, writeToyDataset, writeToyWordNet } from './toy.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-clip-'));
const [data, dict] = [join(folder, 'data'), join(folder, 'dict')];
writeToyDataset(data);
writeToyWordNet(dict);

const configOf = (name: string, more: object = {}) =>
  checkConfig(clipSchema, {
    data: { folder: data },
    wordnet: { folder: dict },
    teacher: { folder: join(folder, 'teacher') },
    run: { folder: join(folder, `${name}-run`) },
    out: { folder: join(folder, name) },
    ...small,
    ...more,
  });
const pretrain = (config: ClipPretraining, hooks: TrainingHooks = {}) =>
  pretrainClip(config, device, hooks, toyTeacher);
const weights = (name: string) => readFileSync(join(folder, name, 'model.safetensors'));
const phases = ['map', 'bag', 'transformer', 'homonyms', 'vision'] as const;
const lossesOf = (name: string, phase: (typeof phases)[number]) =>
  readFileSync(join(folder, `${name}-run`, phase, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((line) => 'loss' in line);

test('all phases: every step in its log, a folder that loads, other weights from another seed', async () => {
  const warnings: string[] = [];
  const seen: string[] = [];
  const made = await pretrain(configOf('a'), {
    onWarning: (line) => warnings.push(line),
    onProgress: ({ task, done, total }) => seen.push(`${task} ${done}/${total}`),
  });
  assert.equal(warnings, []);
  for (const phase of phases) {
    const { steps } = small[phase];
    const lines = lossesOf('a', phase);
    assert.equal(
      lines.map(({ step }) => step),
      Array.from({ length: steps }, (_, i) => i + 1),
    );
    assert.ok(lines.every(({ loss, seconds }) => loss > 0 && seconds > 0));
    assert.ok(seen.includes(`${phase} ${steps}/${steps}`), `${seen}`);
  }
  const files = ['config.json', 'files.json', 'merges.txt', 'model.safetensors', 'vocab.json'];
  assert.equal(readdirSync(join(folder, 'a')).sort(), files);
  assert.is(made.tokens, 540);
  assert.is(made.images, 3);
  assert.ok(made.text.all.mrr > 0 && made.text.gloss && made.text.sentence);
  assert.ok(made.text.senses.sentence !== null && made.text.senses.gloss === null);
  assert.is(made.image, null);

  const { config, module: clip, eosId, tensors } = await loadClip(device, join(folder, 'a'));
  const tokenizer = await loadTokenizer(join(folder, 'a'));
  assert.is(tokenizer.eosId, eosId);
  assert.is(tokenizer.vocabularySize, config.text.vocabulary);
  const { ids, mask, length } = tokenizer.encodeBatch(['mouse : animal', 'bank'], config.text.maxLength);
  const embeds = await device.scope(() => clip.text.encode({ ids, mask, count: 2, length }).embeds.read());
  assert.ok(Math.abs(Math.hypot(...embeds.slice(0, 8)) - 1) < 1e-5);
  tokenizer.free();
  for (const tensor of tensors.values()) tensor.release();

  await pretrain(configOf('c', { training: { ...small.training, seed: 2 } }));
  assert.not(weights('a').equals(weights('c')), 'another seed, other weights');
});

test('stopped in the middle it goes on to the same bytes, and does nothing twice', async () => {
  const stop = new AbortController();
  const onProgress = ({ task, done }: { task: string; done: number }) => {
    if (task === 'transformer' && done === 1) stop.abort(new Error('stopped'));
  };
  let message = '';
  await pretrain(configOf('b'), { signal: stop.signal, onProgress }).catch((error: Error) => {
    message = error.message;
  });
  assert.is(message, 'stopped');
  assert.not(existsSync(join(folder, 'b', 'model.safetensors')));
  const again: string[] = [];
  await pretrain(configOf('b'), {
    resume: true,
    onProgress: ({ task, done, total }) => again.push(`${task} ${done}/${total}`),
  });
  assert.not(
    again.some((line) => line.startsWith('bag ')),
    'finished phases are not done again',
  );
  assert.is(again[0], 'transformer 1/3', 'two steps were kept');
  assert.ok(weights('a').equals(weights('b')));
});

test('the map and the bag lower their loss', async () => {
  const long = {
    training: { checkpointSteps: 60 },
    map: { ...small.map, steps: 60, learningRate: 0.01 },
    bag: { ...small.bag, steps: 60 },
  };
  await pretrain(configOf('f', long));
  for (const phase of ['map', 'bag'] as const) {
    const losses = lossesOf('f', phase).map(({ loss }) => loss as number);
    const mean = (some: number[]) => some.reduce((sum, loss) => sum + loss, 0) / some.length;
    const [first, last] = [mean(losses.slice(0, 10)), mean(losses.slice(-10))];
    assert.ok(last < 0.9 * first, `${phase}: ${first} to ${last}`);
  }
});

test('a checkpoint of other fields is refused, by the phase that they decide alone', async () => {
  const changed = configOf('a', { vision: { ...small.vision, textDistance: 3 } });
  let message = '';
  await pretrain(changed, { resume: true }).catch((error: Error) => {
    message = error.message;
  });
  assert.match(
    message,
    /vision.last\.safetensors: belongs to a run with vision\.textDistance 0, this one has 3$/,
  );
});

test('bad input is one line, and nothing is written', async () => {
  const cases: [object, RegExp][] = [
    [{ transformer: { stepz: 3 } }, /^transformer\.stepz: there is no such field$/],
    [{ bag: { steps: 'x' } }, /^bag\.steps: expected an integer of at least 0, found x$/],
    [{ map: { learningRate: -1 } }, /^map\.learningRate: expected a number of at least 0, found -1$/],
    [{ text: { ...small.text, heads: 3 } }, /^text\.heads: expected a divisor of the width 16, found 3$/],
    [{ vision: { ...small.vision, patchSize: 17 } }, /^vision\.patchSize: expected at most/],
    [{ vision: { ...small.vision, heads: 2 } }, /^vision\.heads: expected 4, one for each patch/],
    [{ vision: { ...small.vision, width: 4 } }, /^vision\.width: expected more, for marks of 5 positions/],
    [{ data: { folder: join(folder, 'nowhere') } }, /nowhere: no such folder/],
    [{ wordnet: { folder: join(folder, 'nowhere') } }, /data\.noun: no such file/],
    [{ bag: { ...small.bag, learningRate: 1e308 } }, /^the loss of step \d is \S+; try a lower/],
  ];
  for (const [more, expected] of cases) {
    let message = '';
    try {
      await pretrain(configOf('none', more));
    } catch (error) {
      message = (error as Error).message;
    }
    assert.match(message, expected);
    assert.not(message.includes('\n'), message);
    assert.not(existsSync(join(folder, 'none')), message);
  }
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();

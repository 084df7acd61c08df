// Pretraining of a BERT end to end on toys: what it writes, that it learns, that it goes on where it was stopped, what it refuses.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadWordPiece } from '../../../data/text/wordpiece/wordpiece-files.ts';
import { loadBert } from '../../../model/bert/load-bert.ts';
import { type BertPretraining, bertSchema } from '../../../train/bert-pretraining/bert-schema.ts';
import { pretrainBert } from '../../../train/bert-pretraining/pretrain-bert.ts';
import { checkConfig } from '../../../train/config/check.ts';
import type { TrainingHooks } from '../../../train/hooks.ts';
import { device } from '../../support/device.ts';
import { writeToyDataset, writeToyWordNet } from '../clip-pretraining/toy.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-bert-'));
const [data, dict] = [join(folder, 'data'), join(folder, 'dict')];
writeToyDataset(data);
writeToyWordNet(dict);

const small = {
  text: { vocabulary: 200, width: 16, heads: 2, layers: 1, length: 16 },
  contrast: { steps: 6, warmupSteps: 1, sensePairs: 6 },
};
const configOf = (name: string, more: object = {}) =>
  checkConfig(bertSchema, {
    data: { folder: data },
    wordnet: { folder: dict },
    run: { folder: join(folder, `${name}-run`) },
    out: { folder: join(folder, name) },
    training: { checkpointSteps: 2 },
    ...small,
    ...more,
  });
const pretrain = (config: BertPretraining, hooks: TrainingHooks = {}) => pretrainBert(config, device, hooks);
const weights = (name: string) => readFileSync(join(folder, name, 'model.safetensors'));
const lossesOf = (name: string) =>
  readFileSync(join(folder, `${name}-run`, 'contrast', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .flatMap((line) => ('loss' in line ? [line.loss as number] : []));

test('a folder that loads, with a vocabulary that fits, and another seed gives other weights', async () => {
  const made = await pretrain(configOf('a'));
  assert.equal(readdirSync(join(folder, 'a')).sort(), [
    'config.json',
    'files.json',
    'model.safetensors',
    'vocab.txt',
  ]);
  assert.is(lossesOf('a').length, 6);
  assert.is(made.words, 3);
  for (const found of [made.before, made.after]) {
    assert.ok(found.pair.all.mrr > 0 && found.tagged.all.mrr > 0);
  }
  const loaded = await loadBert(device, join(folder, 'a'));
  const { tokens } = await loadWordPiece(join(folder, 'a'));
  assert.is(tokens.length, loaded.config.vocabulary);
  assert.is(made.tokens, tokens.length);
  assert.is(loaded.config.maxLength, 16);
  assert.equal(
    made.parameters,
    [...loaded.tensors.values()].reduce((sum, { size }) => sum + size, 0),
  );
  for (const tensor of loaded.tensors.values()) tensor.release();
  await pretrain(configOf('c', { training: { seed: 2 } }));
  assert.not(weights('a').equals(weights('c')));
});

test('stopped in the middle it goes on to the same bytes', async () => {
  const stop = new AbortController();
  const onProgress = ({ done }: { done: number }) => {
    if (done === 3) stop.abort(new Error('stopped'));
  };
  let message = '';
  await pretrain(configOf('b'), { signal: stop.signal, onProgress }).catch((error: Error) => {
    message = error.message;
  });
  assert.is(message, 'stopped');
  assert.not(existsSync(join(folder, 'b')));
  await pretrain(configOf('b'), { resume: true });
  assert.ok(weights('a').equals(weights('b')));
});

test('senses are learnt to be told apart', async () => {
  await pretrain(
    configOf('d', {
      contrast: { ...small.contrast, steps: 60, learningRate: 0.01 },
      training: { checkpointSteps: 60 },
    }),
  );
  const losses = lossesOf('d');
  const mean = (some: number[]) => some.reduce((sum, loss) => sum + loss, 0) / some.length;
  const [first, last] = [mean(losses.slice(0, 5)), mean(losses.slice(-5))];
  assert.ok(last < 0.7 * first, `${first} to ${last}`);
});

test('bad input is one line, and nothing is written', async () => {
  const cases: [object, RegExp][] = [
    [{ contrast: { stepz: 3 } }, /^contrast\.stepz: there is no such field$/],
    [{ contrast: { sensePairs: 1 } }, /^contrast\.sensePairs: expected an integer of at least 2, found 1$/],
    [{ text: { ...small.text, heads: 3 } }, /^text\.heads: expected a divisor of the width 16, found 3$/],
    [
      { text: { ...small.text, vocabulary: 110 } },
      /^a vocabulary of 110 tokens: expected an integer of at least 1\d\d, for special tokens/,
    ],
    [{ wordnet: { folder: join(folder, 'nowhere') } }, /data\.noun: no such file/],
  ];
  for (const [more, expected] of cases) {
    let message = '';
    try {
      await pretrain(configOf('none', more));
    } catch (error) {
      message = (error as Error).message;
    }
    assert.match(message, expected);
    assert.not(existsSync(join(folder, 'none')));
  }
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();

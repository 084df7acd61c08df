// Pretraining end to end on a toy data set and a toy WordNet: what it writes, that it repeats itself, what
// it refuses.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readWordNet } from '../../data/openconcepts-builder/wordnet.ts';
import { loadTokenizer } from '../../data/text/tokenizer-files.ts';
import { loadClip } from '../../model/clip/load-clip.ts';
import { clipSchema } from '../../train/clip-pretraining/clip-schema.ts';
import { pretrainClip } from '../../train/clip-pretraining/pretrain-clip.ts';
import { homonymsOutside, textPairs } from '../../train/clip-pretraining/wordnet-pairs.ts';
import { checkConfig } from '../../train/config/check.ts';
import { Cycle, RandomStream } from '../../train/random-stream.ts';
import { device } from '../support/device.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dsmip-clip-'));
const data = join(folder, 'data');
const dict = join(folder, 'dict');
makeDataset();
makeWordNet();

const small = {
  training: { steps: 3, warmupSteps: 1 },
  batch: { textImagePairs: 2, imagePairs: 2, textPairs: 4, wordNetPairs: 4 },
  text: { vocabulary: 540, width: 16, layers: 1, length: 16 },
  vision: { width: 16, heads: 2, layers: 1, imageSize: 16, patchSize: 8 },
  projection: { width: 8 },
};
const configOf = (out: string, more: object = {}) =>
  checkConfig(clipSchema, {
    data: { folder: data },
    wordnet: { folder: dict },
    out: { folder: out },
    ...small,
    ...more,
  });

test('three steps: finite losses, a folder that loads, the same again from the same seed', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [string, string, string];
  const metrics = join(folder, 'metrics.jsonl');
  const steps: number[] = [];
  const warnings: string[] = [];
  await pretrainClip(configOf(a, { metrics: { file: metrics } }), device, {
    onProgress: ({ done }) => steps.push(done),
    onWarning: (line) => warnings.push(line),
  });
  assert.equal([steps, warnings], [[1, 2, 3], []]);
  const lines = readFileSync(metrics, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(
    lines.map(({ step }) => step),
    [1, 2, 3],
  );
  for (const line of lines) {
    assert.ok(
      ['loss', 'textImage', 'imageViews', 'textViews', 'wordNet', 'seconds'].every((key) => line[key] > 0),
    );
    const sum = line.textImage + line.imageViews + line.textViews + 2 * line.wordNet;
    assert.ok(Math.abs(line.loss - sum) < 1e-4 * sum, `${line.loss} is the weighted sum ${sum}`);
  }
  assert.equal(readdirSync(a).sort(), ['config.json', 'merges.txt', 'model.safetensors', 'vocab.json']);
  assert.not(existsSync(`${a}.part`));

  const { config, module: clip, eosId, tensors } = await loadClip(device, a);
  const tokenizer = await loadTokenizer(a);
  assert.is(tokenizer.eosId, eosId);
  assert.is(tokenizer.vocabularySize, config.text.vocabulary);
  const { ids, mask, length } = tokenizer.encodeBatch(['mouse : animal', 'bank'], config.text.maxLength);
  const batch = { ids: Int32Array.from(ids), mask: Int32Array.from(mask), count: 2, length };
  const embeds = await device.scope(() => clip.text.encode(batch).embeds.read());
  assert.is(embeds.length, 2 * 8);
  assert.ok(Math.abs(Math.hypot(...embeds.slice(0, 8)) - 1) < 1e-5);
  tokenizer.free();
  for (const tensor of tensors.values()) tensor.release();

  await pretrainClip(configOf(b), device);
  await pretrainClip(configOf(c, { training: { ...small.training, seed: 2 } }), device);
  const weights = (of: string) => readFileSync(join(of, 'model.safetensors'));
  assert.ok(weights(a).equals(weights(b)), 'same seed, same bytes');
  assert.not(weights(a).equals(weights(c)), 'another seed, other weights');
});

test('bad input is one line, and nothing is written', async () => {
  const out = join(folder, 'none');
  const cases: [object, RegExp][] = [
    [{ training: { stepz: 3 } }, /^training\.stepz: there is no such field$/],
    [{ training: { steps: 'x' } }, /^training\.steps: expected an integer of at least 1, found x$/],
    [
      { training: { learningRate: -1 } },
      /^training\.learningRate: expected a number of at least 0, found -1$/,
    ],
    [{ text: { ...small.text, heads: 3 } }, /^text\.heads: expected a divisor of the width 16, found 3$/],
    [{ vision: { ...small.vision, patchSize: 17 } }, /^vision\.patchSize: expected at most/],
    [{ data: { folder: join(folder, 'nowhere') } }, /nowhere: no such folder/],
    [{ wordnet: { folder: join(folder, 'nowhere') } }, /data\.noun: no such file/],
    [{ training: { ...small.training, learningRate: 1e308 } }, /^the loss of step \d is \S+; try a lower/],
  ];
  for (const [more, expected] of cases) {
    let message = '';
    try {
      await pretrainClip(configOf(out, more), device);
    } catch (error) {
      message = (error as Error).message;
    }
    assert.match(message, expected);
    assert.not(message.includes('\n'), message);
    assert.not(existsSync(out), message);
  }
});

test('pairs from WordNet: homonyms outside the knowledge base that share no sentence with it', () => {
  const wordNet = readWordNet(dict);
  const all = homonymsOutside(wordNet, []);
  assert.equal(all.map(({ word }) => word).sort(), ['bank', 'mouse']);
  // Without the animal one mouse is left: no homonym any more. The third bank's example is that of the first.
  const outside = homonymsOutside(wordNet, ['wn31-00000001-n', 'wn31-00000003-n']);
  assert.equal(outside, []);
  const banks = homonymsOutside(wordNet, ['wn31-00000001-n']);
  assert.equal(
    banks.map(({ word, senses }) => [word, senses.length]),
    [['bank', 3]],
  );
  const pairs = textPairs(wordNet, banks[0]!, new RandomStream(1));
  assert.ok(pairs.every(({ entity, mention }) => / : /.test(entity) && mention.startsWith('bank : ')));
});

test('a cycle gives every item equally often, different ones in one call, and no more than asked for', () => {
  const items = Array.from({ length: 10 }, (_, i) => i);
  const cycle = new Cycle(items, new RandomStream(5));
  const seen = new Array<number>(10).fill(0);
  for (let call = 0; call < 30; call++) {
    const taken = cycle.fill(4, () => 1);
    assert.is(new Set(taken).size, 4);
    for (const item of taken) seen[item]!++;
  }
  assert.ok(Math.max(...seen) - Math.min(...seen) <= 2, `${seen}`);
  const heavy = cycle.fill(7, () => 3);
  assert.is(heavy.length, 2);
  assert.is(cycle.fill(20, () => 1).length, 10);
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();

/** Six entities, three with images of the real data set. */
function makeDataset(): void {
  const images = readdirSync(join(root, 'data/openconcepts/kb_image')).sort().slice(0, 3);
  mkdirSync(join(data, 'kb_image'), { recursive: true });
  for (const image of images)
    copyFileSync(join(root, 'data/openconcepts/kb_image', image), join(data, 'kb_image', image));
  const names = ['mouse', 'mouse', 'Georgia', 'Georgia', 'apple', 'bowl'];
  const entities = names.map((name, id) => ({
    id,
    qid: `wn31-0000010${id}-n`,
    entity_name: name,
    attr: `thing number ${id} of its kind`,
    type: 'thing',
    image_list: images.slice(id, id + 1),
  }));
  const mention = {
    id: '1',
    sentence: 'A thing.',
    mentions: 'mouse',
    entities: 'mouse',
    answer: entities[0]!.qid,
  };
  const write = (name: string, value: unknown) => writeFileSync(join(data, name), JSON.stringify(value));
  write('kb_entity.json', entities);
  write('qid2id.json', Object.fromEntries(entities.map(({ qid, id }) => [qid, id])));
  for (const split of ['train', 'dev', 'test']) write(`toy_${split}.json`, [mention]);
}

/** Two mice and three banks in WordNet's format. */
function makeWordNet(): void {
  const synsets = [
    ['00000001', '05', 'mouse', 'small rodent with a long tail'],
    ['00000002', '06', 'mouse', 'a pointing device; "he moved the mouse"'],
    ['00000003', '14', 'bank', 'a place where money is kept; "she went to the bank"'],
    ['00000004', '17', 'bank', 'sloping land beside water'],
    ['00000005', '06', 'bank', 'a building for money; "She went to the bank."'],
  ];
  mkdirSync(dict);
  const records = synsets.map(
    ([offset, file, word, gloss]) => `${offset} ${file} n 01 ${word} 0 000 | ${gloss}  `,
  );
  writeFileSync(join(dict, 'data.noun'), `  1 licence\n${records.join('\n')}\n`);
  const index = ['mouse n 2 0 2 0 00000001 00000002', 'bank n 3 0 3 0 00000003 00000004 00000005'];
  writeFileSync(join(dict, 'index.noun'), `  1 licence\n${index.map((line) => `${line}  `).join('\n')}\n`);
}

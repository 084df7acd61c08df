// Pretraining end to end on a toy data set and a toy WordNet: what it writes, that it repeats itself, what
// it refuses.

import { spawnSync } from 'node:child_process';
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
import { homonymsOutside, textPairs } from '../../train/clip-pretraining/wordnet-pairs.ts';
import { Cycle, RandomStream } from '../../train/random-stream.ts';
import { device } from '../support/device.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dsmip-clip-'));
const data = join(folder, 'data');
const dict = join(folder, 'dict');
makeDataset();
makeWordNet();

const small = [
  ...[
    '--steps',
    '3',
    '--warmup-steps',
    '1',
    '--text-image-pairs',
    '2',
    '--image-pairs',
    '2',
    '--text-pairs',
    '4',
  ],
  ...['--wordnet-pairs', '4', '--vocabulary', '540', '--text-width', '16', '--text-layers', '1'],
  ...['--vision-width', '16', '--vision-heads', '2', '--vision-layers', '1', '--image-size', '16'],
  ...['--patch-size', '8', '--projection', '8', '--text-length', '16'],
];

test('three steps: finite losses, a folder that loads, the same again from the same seed', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [string, string, string];
  const metrics = join(folder, 'metrics.jsonl');
  const first = run('--out', a, '--metrics', metrics, ...small);
  assert.is(first.stderr.replaceAll(/^Warning: .*\n/gm, ''), '');
  assert.is(first.status, 0);
  assert.match(first.stdout, /step 3\/3 {2}loss \d+\.\d+ {2}\d+ examples\/s {2}ETA 0:00/);
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

  assert.is(run('--out', b, ...small).status, 0);
  assert.is(run('--out', c, '--seed', '2', ...small).status, 0);
  const weights = (of: string) => readFileSync(join(of, 'model.safetensors'));
  assert.ok(weights(a).equals(weights(b)), 'same seed, same bytes');
  assert.not(weights(a).equals(weights(c)), 'another seed, other weights');
});

test('bad input: one line, exit code 1, nothing written', () => {
  const out = join(folder, 'none');
  const cases: [string[], RegExp][] = [
    [['--stepz', '3'], /^Unknown option '--stepz'/],
    [['--steps', 'x'], /^--steps x: expected an integer of at least 1/],
    [['--lr', '-1'], /lr/],
    [['--text-heads', '3'], /^--text-heads 3: expected a divisor of --text-width/],
    [['--data', join(folder, 'nowhere')], /nowhere: no such folder/],
    [['--wordnet', join(folder, 'nowhere')], /data\.noun: no such file/],
  ];
  for (const [args, expected] of cases) {
    const { status, stderr } = run(...small, '--out', out, ...args);
    const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Warning: '));
    assert.is(lines.length, 1, stderr);
    assert.match(lines[0]!, expected);
    assert.is(status, 1);
    assert.not(existsSync(out));
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

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const command = join(root, 'train/clip.ts');
  const runtime = 'Deno' in globalThis ? ['run', '--allow-all', command] : [command];
  return spawnSync(process.execPath, [...runtime, '--data', data, '--wordnet', dict, ...args], {
    encoding: 'utf8',
  });
}

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

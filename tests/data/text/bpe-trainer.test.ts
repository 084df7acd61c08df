// The BPE trainer: against a plain recount of all pairs at every step, and through the tokenizer that reads
// its files.

import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { trainBpe } from '../../../data/text/bpe-trainer.ts';
import { createTokenizer } from '../../../data/text/tokenizer.ts';
import { loadTokenizer } from '../../../data/text/tokenizer-files.ts';
import { messageOf } from './tiny-vocabulary.ts';

const TEXTS = [
  'The cat sat on the mat, the cat that sat; aaaa aaaaa banana bananas!!! 10 100 cats’ naïve café 日本語日本',
  'A mouse is a small rodent. A computer mouse is a pointing device; mice, mouse, mouses. It isn’t a cat.',
  'Banana bread, aaa, "quoted" <|endoftext|> text and text again. Rodents: rats, mice, small and smaller.',
];

test('merges equal those of a full recount at every step', () => {
  const { merges } = trainBpe(TEXTS, { vocabularySize: 620, minFrequency: 1 });
  const lines = merges.trimEnd().split('\n').slice(1);
  assert.ok(lines.length > 90);
  assert.equal(lines, recountedMerges(TEXTS, lines.length));
  assert.is(trainBpe(TEXTS, { vocabularySize: 514 }).merges, '#version: 0.2\n');
});

test('the order of the texts does not matter', () => {
  const options = { vocabularySize: 700, minFrequency: 1 };
  assert.equal(trainBpe([...TEXTS].reverse(), options), trainBpe(TEXTS, options));
});

test('the vocabulary is as large as asked, or ends where pairs get too rare', () => {
  assert.is(Object.keys(trainBpe(TEXTS, { vocabularySize: 540 }).vocab).length, 540);
  const often = trainBpe(TEXTS, { vocabularySize: 4000, minFrequency: 3 });
  const rare = trainBpe(TEXTS, { vocabularySize: 4000, minFrequency: 1 });
  assert.ok(Object.keys(often.vocab).length < Object.keys(rare.vocab).length);
  assert.ok(Object.keys(rare.vocab).length < 4000);
});

test('ids are in the order of CLIP: bytes, bytes ending a word, merges, specials', () => {
  const { vocab, merges } = trainBpe(TEXTS, { vocabularySize: 530 });
  assert.is(vocab['!'], 0);
  assert.is(vocab['Ġ'], 220);
  assert.is(vocab['!</w>'], 256);
  assert.is(vocab[merges.split('\n')[1]?.replace(' ', '') ?? ''], 512);
  assert.is(vocab['<|startoftext|>'], 528);
  assert.is(vocab['<|endoftext|>'], 529);
});

test('the tokenizer reads what was trained, and each learnt word is one token', () => {
  const { vocab, merges } = trainBpe(TEXTS, { vocabularySize: 4000, minFrequency: 1 });
  const tokenizer = createTokenizer(vocab, merges);
  for (const word of ['the', 'mouse', 'banana', 'café', '日本語日本', '!!!']) {
    assert.is(tokenizer.encode(word).length, 1, word);
  }
  assert.is(tokenizer.encode('qxkvw').length, 5);
  tokenizer.free();
});

test('bad options: one line each', () => {
  assert.match(
    messageOf(() => trainBpe([], { vocabularySize: 513 })),
    /^vocabularySize is 513, expected/,
  );
  assert.match(
    messageOf(() => trainBpe([], { vocabularySize: 600, minFrequency: 0 })),
    /^minFrequency is 0, expected/,
  );
});

test('the command writes both files, or nothing and one line', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'train-bpe-'));
  const command = fileURLToPath(new URL('../../../data/text/train-bpe.ts', import.meta.url));
  const runtime = 'Deno' in globalThis ? ['run', '--allow-all', command] : [command];
  const run = (...args: string[]): string => {
    try {
      return execFileSync(process.execPath, [...runtime, ...args], { encoding: 'utf8', stdio: 'pipe' });
    } catch (error) {
      return (error as { stderr: string }).stderr;
    }
  };
  try {
    const out = join(folder, 'out');
    const text = join(folder, 'text.txt');
    await writeFile(text, TEXTS.join('\n'));
    assert.is(run('--out', out, join(folder, 'none.txt')), `${join(folder, 'none.txt')}: no such file\n`);
    assert.is(run('--out', out, '--size', '9', text), '--size is "9", expected an integer of at least 514\n');
    assert.match(run('--out', out, '--sise', '9', text), /^Unknown option '--sise'.*\n$/);
    assert.equal(await readdir(folder), ['text.txt']);

    assert.match(run('--out', out, '--size', '600', '--min-frequency', '1', text), /600 tokens/);
    assert.equal((await readdir(out)).sort(), ['merges.txt', 'vocab.json']);
    const expected = trainBpe([TEXTS.join('\n')], { vocabularySize: 600, minFrequency: 1 });
    assert.is(await readFile(join(out, 'merges.txt'), 'utf8'), expected.merges);
    const tokenizer = await loadTokenizer(out);
    assert.is(tokenizer.vocabularySize, 600);
    tokenizer.free();
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** Merges by counting every pair of every word anew at each step. */
function recountedMerges(texts: readonly string[], count: number): string[] {
  // The untrained tokenizer gives the bytes of each word, the last with its mark: ids below 512, cut at the
  // marks.
  const { vocab } = trainBpe([], { vocabularySize: 514 });
  const bytes = createTokenizer(vocab, '');
  const names = Object.entries(vocab)
    .sort((a, b) => a[1] - b[1])
    .map(([token]) => token);
  let words: number[][] = [[]];
  for (const id of texts.flatMap((text) => bytes.encode(text))) {
    if (id < 512) words[words.length - 1]?.push(id);
    if (id >= 256) words.push([]);
  }
  bytes.free();
  names.length = 512;
  const merges: string[] = [];
  for (let made = 512; made < 512 + count; made++) {
    const counts = new Map<string, number>();
    for (const word of words) {
      word.slice(1).forEach((right, i) => {
        const key = `${word[i]} ${right}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      });
    }
    const parts = (key: string): [number, number] => key.split(' ').map(Number) as [number, number];
    const [best] = [...counts].sort(([a, n], [b, m]) => {
      const [[a0, a1], [b0, b1]] = [parts(a), parts(b)];
      return m - n || a0 - b0 || a1 - b1;
    })[0] as [string, number];
    const [left, right] = parts(best);
    merges.push(`${names[left]} ${names[right]}`);
    names.push(`${names[left]}${names[right]}`);
    words = words.map((word) => {
      const result: number[] = [];
      for (let i = 0; i < word.length; i++) {
        const joins = word[i] === left && word[i + 1] === right;
        result.push(joins ? made : (word[i] as number));
        if (joins) i++;
      }
      return result;
    });
  }
  return merges;
}

test.run();

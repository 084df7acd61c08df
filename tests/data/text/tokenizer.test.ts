// The tokenizer against ids from Python: OpenAI's simple_tokenizer without ftfy and HTML unescaping, whose
// ids for CLIP's own vocabulary are the reference's. `tokenizer-cases.json` holds [text, ids] for the tiny
// vocabulary here.

import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mergeLongWord } from '../../../data/text/long-word.ts';
import { createTokenizer } from '../../../data/text/tokenizer.ts';
import { loadTokenizer } from '../../../data/text/tokenizer-files.ts';
import { createWordMerger as createPlainMerger } from '../../../data/text/word-merger.browser.ts';
import { createWordMerger } from '../../../data/text/word-merger.ts';
import { messageOf, tinyFolder, tinyMerges, tinyVocabulary } from './tiny-vocabulary.ts';

const CASES = new URL('./tokenizer-cases.json', import.meta.url);
const CLIP = new URL('../../../../shared/clip/', import.meta.url);

const tiny = await loadTokenizer(tinyFolder);
const [bos, eos] = [tiny.bosId, tiny.eosId];

test('ids equal Python on common and hostile texts, tiny vocabulary', () => {
  const cases = JSON.parse(readFileSync(CASES, 'utf8')) as [string, number[]][];
  assert.ok(cases.length > 700);
  for (const [text, ids] of cases) assert.equal(tiny.encode(text), ids, JSON.stringify(text));
});

if (existsSync(new URL('tokenizer-cases.json', CLIP))) {
  test("ids equal the reference on all of CLIP's cases", async () => {
    const clip = await loadTokenizer(CLIP.pathname);
    const cases = JSON.parse(readFileSync(new URL('tokenizer-cases.json', CLIP), 'utf8')) as Case[];
    assert.ok(cases.length > 0);
    for (const { t, ids } of cases) assert.equal(clip.encode(t), ids, JSON.stringify(t));
    clip.free();
  });
}

interface Case {
  readonly t: string;
  readonly ids: number[];
}

test('each token knows where its word stands', () => {
  const cases = JSON.parse(readFileSync(CASES, 'utf8')) as [string, number[]][];
  for (const [text, ids] of cases) {
    const spans = tiny.wordSpans(text);
    assert.is(spans.length, ids.length, JSON.stringify(text));
    for (const [i, { start, end }] of spans.entries()) {
      assert.ok(start < end && end <= text.length, JSON.stringify(text));
      assert.ok(i === 0 || start >= spans[i - 1]!.start, JSON.stringify(text));
    }
  }
  const wordsOf = (text: string) => [
    ...new Set(tiny.wordSpans(text).map(({ start, end }) => text.slice(start, end))),
  ];
  assert.equal(wordsOf(" \u001cThe CAT's 12 hats, İzmir!"), [
    'The',
    'CAT',
    "'s",
    '1',
    '2',
    'hats',
    ',',
    'İ',
    'zmir',
    '!',
  ]);
});

test('sizes and special ids', () => {
  assert.is(tiny.vocabularySize, 2977);
  assert.is(bos, 2975);
  assert.is(eos, 2976);
  assert.equal(tiny.encode('<|startoftext|> <|endoftext|>'), [bos, eos]);
});

test("white space is Python's: not U+FEFF, but U+0085; U+001C to U+001F only at the ends", () => {
  assert.equal(tiny.encode('cat\u0085cat'), tiny.encode('cat cat'));
  assert.not.equal(tiny.encode('\ufeffcat'), tiny.encode('cat'));
  assert.equal(tiny.encode('\u001c cat \u001f'), tiny.encode('cat'));
  assert.not.equal(tiny.encode('cat\u001ccat'), tiny.encode('cat cat'));
});

test('a lone surrogate is U+FFFD', () => {
  assert.equal(tiny.encode('a\ud800b'), tiny.encode('a\ufffdb'));
});

test('ids follow vocab.json, whatever their order', () => {
  const size = Object.keys(tinyVocabulary).length;
  const turned = Object.fromEntries(
    Object.entries(tinyVocabulary).map(([token, id]) => [token, size - 1 - id]),
  );
  const other = createTokenizer(turned, tinyMerges.replaceAll('\n', '\r\n').replace(/^#version.*\r\n/, ''));
  const text = 'A photograph of 12 grey mice, isn’t it?';
  assert.equal(
    other.encode(text),
    tiny.encode(text).map((id) => size - 1 - id),
  );
  other.free();
});

test('a batch is BOS, text, EOS, padded with EOS, the mask on real tokens', () => {
  const [a, b] = [tiny.encode('a mouse'), tiny.encode('a small grey mouse on a table')];
  const batch = tiny.encodeBatch(['a mouse', 'a small grey mouse on a table', ''], 77);
  assert.is(batch.length, b.length + 2);
  const pad = (row: number[], value: number): number[] => [
    ...row,
    ...Array(batch.length - row.length).fill(value),
  ];
  assert.equal([...batch.ids], [...pad([bos, ...a, eos], eos), bos, ...b, eos, ...pad([bos, eos], eos)]);
  const ones = [a.length + 2, b.length + 2, 2].map((n) => pad(Array(n).fill(1), 0));
  assert.equal([...batch.mask], ones.flat());
});

test('truncation keeps BOS and EOS', () => {
  const text = 'one two three four five six seven eight nine ten';
  const batch = tiny.encodeBatch([text, 'one'], 6);
  assert.is(batch.length, 6);
  assert.equal([...batch.ids.subarray(0, 6)], [bos, ...tiny.encode(text).slice(0, 4), eos]);
  assert.equal([...tiny.encodeBatch([text], 2).ids], [bos, eos]);
  assert.is(tiny.encodeBatch([], 77).length, 0);
  assert.is(
    messageOf(() => tiny.encodeBatch([text], 1)),
    'maxLength is 1, expected an integer of at least 2 (BOS and EOS)',
  );
});

test('long words: near-linear merging equals merging pair by pair', () => {
  const rankOf = new Map([...'abcdZ'].map((byte, rank) => [byte, rank]));
  for (const token of ['ab', 'aa', 'dZ', 'abc', 'aaaa', 'abcdZ', 'aaab']) rankOf.set(token, rankOf.size);
  const tokens = (word: string): string[] =>
    mergeLongWord(word, rankOf).map((rank) => [...rankOf.keys()][rank] as string);
  assert.equal(tokens('aaaaaabcdZ'), ['aaaa', 'a', 'abcdZ']);

  // Either side of the length from which words are merged here; the cut is in the middle of an unmergeable
  // run.
  const random = (() => {
    let state = 1;
    return (n: number): number => {
      state = (state * 48271) % 0x7fffffff;
      return state % n;
    };
  })();
  for (const letters of ['ab', 'aeionrst', 'étaoin語', 'abcdefghijklmnopqrstuvwxyz']) {
    const side = Array.from({ length: 1500 }, () => letters[random(letters.length)]).join('');
    const [left, right] = [`${side}\u{10000}`, `\u{10000}${side}`];
    const [whole, start, end] = [left + right, left, right].map(tiny.encode) as [
      number[],
      number[],
      number[],
    ];
    // U+10000 is four bytes that merge with nothing: what stands before and after it does not depend on it.
    assert.equal(whole.slice(0, start.length - 4), start.slice(0, -4), letters);
    assert.equal(whole.slice(4 - end.length), end.slice(4), letters);
  }
});

test("a browser's merging gives tiktoken's ranks", () => {
  const letters = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
  const merged = [
    'th',
    'the',
    'an',
    'in',
    'ing',
    'aZ',
    'eZ',
    'theZ',
    'ingZ',
    '\u00c3\u00a9',
    '\u00c3\u00a9Z',
  ];
  const rankOf = new Map([...letters, ...merged].map((token, rank) => [token, rank]));
  const [ours, theirs] = [createPlainMerger(rankOf), createWordMerger(rankOf)];
  const words = ['the', 'thing', 'banana', 'caf\u00e9', 'a', '\u{1f600}the', 'x'.repeat(99), 'ththeing'];
  // tiktoken begins after some thousand words.
  for (let round = 0; round < 400; round++) {
    for (const word of words) assert.equal(ours.merge(word), Array.from(theirs.merge(word)), word);
  }
  theirs.free();
});

test('a word of a million letters ends', () => {
  const ids = tiny.encode('in'.repeat(500000));
  assert.ok(ids.length >= 1000000 / 8 && ids.length <= 1000000);
});

test('bad contents: one line each', () => {
  const make = (change: Record<string, number | undefined>, merges = tinyMerges): string => {
    const vocab = { ...tinyVocabulary, ...change } as Record<string, number>;
    for (const key of Object.keys(vocab)) if (vocab[key] === undefined) delete vocab[key];
    return messageOf(() => createTokenizer(vocab, merges));
  };
  assert.match(
    make({ '<|startoftext|>': undefined }),
    /^vocab\.json: id of "<\|endoftext\|>" is 2976, expected/,
  );
  assert.is(
    make({ '<|startoftext|>': undefined, other: 2975 }),
    'vocab.json: token "<|startoftext|>" is missing',
  );
  assert.is(make({ 'a</w>': 3 }), 'vocab.json: "$" and "a</w>" both have id 3');
  assert.match(make({ a: 1.5 }), /^vocab\.json: id of "a" is 1\.5, expected an integer in 0\.\.2976$/);
  assert.match(
    make({}, '#version: 0.2\ni n\nlonely\n'),
    /^merges\.txt line 3: "lonely", expected two tokens/,
  );
  assert.match(make({}, 'i n\nin x y\n'), /^merges\.txt line 2: "in x y", expected two tokens/);
  assert.match(
    make({}, 'in g\n'),
    /^merges\.txt line 1: "in g" merges in, which is no byte and no merge above$/,
  );
  assert.match(make({}, 'i n\ni n\n'), /^merges\.txt line 2: "i n" makes a token that is there already$/);
  assert.match(make({}, 'Z Q\n'), /^vocab\.json: token "ZQ" is missing, which merges\.txt makes in line 1$/);
  assert.match(make({}, 'h e\nt h\nth e\n'), /^merges\.txt line 3: "th e" can never apply: the merges above/);
});

test('bad files: one line that names the file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tokenizer-'));
  const fails = async (): Promise<string> => {
    try {
      (await loadTokenizer(folder)).free();
      return 'loaded';
    } catch (error) {
      return (error as Error).message;
    }
  };
  try {
    assert.is(await fails(), `${join(folder, 'vocab.json')}: no such file`);
    await writeFile(join(folder, 'vocab.json'), JSON.stringify(tinyVocabulary).slice(0, 1000));
    assert.ok((await fails()).startsWith(`${join(folder, 'vocab.json')}: not JSON (`));
    await writeFile(join(folder, 'vocab.json'), '[1, 2]');
    assert.is(await fails(), `${join(folder, 'vocab.json')}: expected one object of token to id`);
    await writeFile(join(folder, 'vocab.json'), JSON.stringify(tinyVocabulary));
    assert.is(await fails(), `${join(folder, 'merges.txt')}: no such file`);
    await writeFile(join(folder, 'merges.txt'), `${tinyMerges}half\n`);
    assert.ok(
      (await fails()).startsWith(`${join(folder, 'merges.txt')} line 2465: "half", expected two tokens`),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.after(() => tiny.free());
test.run();

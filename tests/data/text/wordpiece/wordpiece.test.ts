// WordPiece beside its reference case (tests/cases/wordpiece): the rules one by one, packing at its limits, files and their
// damage.

import * as fs from 'node:fs';
import * as os from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { basicWords } from '../../../../data/text/wordpiece/basic-words.ts';
import {
  packContext,
  packEntity,
  packPair,
  splitAtMention,
} from '../../../../data/text/wordpiece/packing.ts';
import { createWordPiece } from '../../../../data/text/wordpiece/wordpiece.ts';
import { loadWordPiece } from '../../../../data/text/wordpiece/wordpiece-files.ts';
import { InputError } from '../../../../files/errors.ts';
import { smallVocabulary } from '../../../support/small-bert.ts';

const root = fs.mkdtempSync(join(os.tmpdir(), 'dsmip-wordpiece-'));
test.after(() => fs.rmSync(root, { recursive: true }));
const tokenizer = createWordPiece(smallVocabulary);
const pieces = (text: string) => tokenizer.encode(text).map((id) => smallVocabulary[id]);

test('words: case, accents, white space, controls, punctuation, ideographs', () => {
  const cases: [text: string, words: string[]][] = [
    ['', []],
    [' \t\r\n\u00a0\u2003\u2028\u3000', []],
    ['Zoë ÜBER n\u0303', ['zoe', 'uber', 'n']],
    ['a\u0000b\u200bc\ufffdd\ud800e\ue000f', ['abcdef']],
    ["don't stop.", ['don', "'", 't', 'stop', '.']],
    ['a$b+c^d`e|f~g', ['a', '$', 'b', '+', 'c', '^', 'd', '`', 'e', '|', 'f', '~', 'g']],
    ['5€ ²™ “x” –', ['5€', '²™', '“', 'x', '”', '–']],
    ['mouse中国\u{20000}x', ['mouse', '中', '国', '\u{20000}', 'x']],
    ['東京タワー の', ['東', '京', 'タワー', 'の']],
    ['ΟΔΟΣ ΑΣ. İ', ['οδος', 'ας', '.', 'i']],
    ['\u0301', []],
  ];
  for (const [text, words] of cases) assert.equal(basicWords(text), words, JSON.stringify(text));
});

test('pieces: the longest first, unknown as a whole, special tokens spelt', () => {
  assert.equal(pieces('The BATS flying'), ['the', 'bat', '##s', '[UNK]']);
  assert.equal(pieces('[CLS]bat[SEP] [sep] [MASK]s'), [
    '[CLS]',
    'bat',
    '[SEP]',
    '[UNK]',
    '[UNK]',
    '[UNK]',
    '[MASK]',
    's',
  ]);
  // No text spells an unused token.
  assert.equal(pieces('[unused0]'), ['[UNK]', '[UNK]', '[UNK]']);
});

test('a word of more than 100 code points is unknown, whatever its UTF-16 length', () => {
  const letters = ['a', '##a', '😀', '##😀'];
  const { encode, tokens } = createWordPiece([...smallVocabulary.slice(0, 8), ...letters]);
  for (const letter of ['a', '😀']) {
    assert.is(encode(letter.repeat(100)).length, 100);
    assert.equal(
      encode(letter.repeat(101)).map((id) => tokens[id]),
      ['[UNK]'],
    );
  }
  // Accents go before the count.
  assert.is(encode(`a${'\u0301'.repeat(150)}`).length, 1);
});

test('packing keeps to its length', () => {
  const ids = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);
  for (let length = 5; length < 24; length++) {
    for (const [a, b, c] of [
      [0, 0, 0],
      [30, 30, 30],
      [3, 1, 40],
      [40, 2, 3],
      [1, 30, 1],
    ] as const) {
      const pair = packPair(tokenizer, ids(a), ids(b, 100), length);
      assert.ok(pair.ids.length <= length && pair.ids.length === pair.types.length);
      const context = packContext(tokenizer, ids(a), ids(b, 100), ids(c, 200), length);
      assert.is(
        context.length,
        Math.min(length, a + Math.min(b, length - 4) + c + 4),
        `${length} ${a} ${b} ${c}`,
      );
      assert.ok(packEntity(tokenizer, ids(a), ids(b, 100), length).length <= length);
    }
  }
});

test('a sentence is parted at the mention', () => {
  assert.equal(splitAtMention('Bat', 'a bat, a BAT'), { left: 'a ', right: ', a BAT', isFound: true });
  assert.equal(splitAtMention('cat', 'a bat'), { left: '', right: 'a bat', isFound: false });
  assert.equal(splitAtMention('', 'a bat'), { left: '', right: 'a bat', isFound: false });
});

function folderOf(name: string, files: Record<string, string>): string {
  const folder = join(root, name);
  fs.mkdirSync(folder);
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(join(folder, file), text);
  return folder;
}
const vocab = Object.fromEntries(smallVocabulary.map((token, id) => [token, id]));
const json = (model: unknown, lowercase = true) => JSON.stringify({ normalizer: { lowercase }, model });

test('vocab.txt and tokenizer.json give the same tokenizer', async () => {
  const folders = [
    folderOf('txt', {
      'vocab.txt': `${smallVocabulary.join('\n')}\n`,
      'tokenizer_config.json': '{"do_lower_case":true}',
    }),
    folderOf('crlf', { 'vocab.txt': smallVocabulary.join('\r\n') }),
    folderOf('json', { 'tokenizer.json': json({ type: 'WordPiece', vocab }) }),
  ];
  for (const folder of folders) assert.equal((await loadWordPiece(folder)).tokens, smallVocabulary);
});

test('damage: one line that names the file', async () => {
  const cases: [files: Record<string, string>, message: RegExp][] = [
    [{}, /vocab\.txt: no such file$/],
    [{ 'vocab.txt': 'a\nb\n' }, /vocab\.txt: token \[PAD\] is missing$/],
    [{ 'vocab.txt': '', 'tokenizer_config.json': '{"do_lower_case":false}' }, /do_lower_case: expected true/],
    [{ 'tokenizer.json': json({ vocab }, false) }, /tokenizer\.json: normalizer\.lowercase: expected true/],
    [{ 'tokenizer.json': json({ type: 'BPE', vocab }) }, /model\.type: expected "WordPiece", found "BPE"/],
    [{ 'tokenizer.json': json({ vocab: [] }) }, /model\.vocab: expected an object/],
    [{ 'tokenizer.json': json({ vocab: { ...vocab, a: 3 } }) }, /expected each of 0\.\.\d+ once/],
  ];
  for (const [i, [files, message]] of cases.entries()) {
    const error = await loadWordPiece(folderOf(`damage-${i}`, files)).catch((error: Error) => error);
    assert.instance(error, InputError);
    assert.match((error as Error).message, message);
  }
});

test.run();

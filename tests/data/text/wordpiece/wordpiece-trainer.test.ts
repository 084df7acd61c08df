// The WordPiece trainer: the order of its tokens, what it merges, and that its tokenizer covers what it was trained on.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWordPiece } from '../../../../data/text/wordpiece/wordpiece.ts';
import { trainWordPiece } from '../../../../data/text/wordpiece/wordpiece-trainer.ts';

const texts = [
  'The cat sat on the mat, the cat that sat. Naïve cats; CAFÉ, café!',
  'A mouse is a small rodent. A computer mouse is a pointing device: mice, mouse, mouses. It isn’t a cat.',
  'Banana bread, aaa and aaaa, "quoted" bananas. Rodents: rats, mice, small and smaller. Naïve café.',
];

test("special tokens have bert-base-uncased's ids, characters come next", () => {
  const tokens = trainWordPiece(texts, { vocabularySize: 210, minFrequency: 1 });
  assert.is(tokens.length, 210);
  assert.is(new Set(tokens).size, 210);
  assert.is(tokens[0], '[PAD]');
  assert.is(tokens[1], '[unused0]');
  assert.is(tokens[99], '[unused98]');
  assert.equal(tokens.slice(100, 104), ['[UNK]', '[CLS]', '[SEP]', '[MASK]']);
  const isCharacter = tokens.slice(104).map((token) => /^(##)?.$/u.test(token));
  const characters = isCharacter.indexOf(false);
  assert.ok(characters > 30);
  assert.not(isCharacter.slice(characters).includes(true));
});

test('the most frequent pair becomes a piece first, ties in the order of ids', () => {
  const tokens = trainWordPiece(['ab ab ab abc', 'xbc xbc'], { vocabularySize: 111 });
  // ab 4 times; then b and c, twice after x and once after a: but a's b is taken, so twice.
  assert.equal(tokens.slice(104), ['a', 'x', '##b', '##c', 'ab', 'xb', 'xbc']);
});

test('a piece that two pairs become has one id', () => {
  const tokens = trainWordPiece(['abc abc abc', 'bcx bcx bcx', 'ab ab ab ab'], { vocabularySize: 200 });
  assert.is(new Set(tokens).size, tokens.length);
  assert.ok(tokens.includes('abc'));
});

test('its tokenizer takes apart every word of the texts and knows no rare character', () => {
  const vocabulary = trainWordPiece([...texts, ...texts, 'a ω'], { vocabularySize: 300 });
  const tokenizer = createWordPiece(vocabulary);
  for (const text of texts) assert.not(tokenizer.encode(text.replace('’', '')).includes(100), text);
  assert.equal(tokenizer.encode('ω'), [100]);
  const words = (text: string) => tokenizer.encode(text).map((id) => vocabulary[id]);
  assert.equal(words('Café mouse'), ['cafe', 'mouse']);
});

test('the order of the texts does not matter, and a size without room is refused', () => {
  const options = { vocabularySize: 200, minFrequency: 1 };
  assert.equal(trainWordPiece([...texts].reverse(), options), trainWordPiece(texts, options));
  assert.throws(
    () => trainWordPiece(texts, { vocabularySize: 110 }),
    /a vocabulary of 110 tokens: expected an integer of at least 1\d\d/,
  );
});

test.run();

// What the page's address asks for, and where words stand in sentences.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  addressOf,
  findWord,
  hasWord,
  readAddress,
  trimmedRange,
  wordsOf,
} from '../../../web/page/address.ts';

test('an address and what it asks for are one another', () => {
  const asked = { sentence: 'A "mouse" & a café: 100 %?', range: [3, 8], top: 7, base: 'my-kb' } as const;
  assert.equal(readAddress(addressOf(asked)), asked);
  assert.is(addressOf({ sentence: 'a b', range: null, top: 5, base: null }), '#sentence=a+b');
});

test('an address that asks for nothing or for the impossible', () => {
  assert.is(readAddress(''), null);
  assert.is(readAddress('#word=mouse'), null);
  assert.equal(readAddress('#word=rat&sentence=a+mouse&top=21'), {
    sentence: 'a mouse',
    range: null,
    top: 5,
    base: null,
  });
  assert.equal(readAddress('#word=mouse&sentence=a+mouse&top=x'), {
    sentence: 'a mouse',
    range: [2, 7],
    top: 5,
    base: null,
  });
});

test('a word is found whole, in any case, and as near as it can', () => {
  assert.equal(findWord('snowflakes of Snow', 'snow'), [14, 18]);
  assert.equal(findWord('snowflakes', 'snow'), [0, 4]);
  assert.equal(findWord('a bat, a bat', 'bat', 8), [9, 12]);
  assert.equal(findWord('C++ (not C)', 'C++'), [0, 3]);
  assert.is(findWord('a bat', ' '), null);
  assert.is(hasWord('snowflakes', 'snow'), false);
  assert.is(hasWord('the snow.', 'Snow'), true);
});

test('words and selections', () => {
  const sentence = "The Smiths' X-ray, Zürich’s 3.5.";
  assert.equal(
    wordsOf(sentence).map(([start, end]) => sentence.slice(start, end)),
    ['The', 'Smiths', 'X-ray', 'Zürich’s', '3.5'],
  );
  assert.equal(trimmedRange(sentence, 3, 10), [4, 10]);
  assert.is(trimmedRange(sentence, 3, 4), null);
});

test.run();

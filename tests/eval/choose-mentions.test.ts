// Which mentions the report shows: some of every kind, always the same ones.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chooseFailures, chooseMentions } from '../../eval/report/choose-mentions.ts';

/** Every third is without an image; of those with one a quarter are wrong, of the others a half. */
const many = Array.from({ length: 240 }, (_, i) => ({
  kind: null as string | null,
  hasImage: i % 3 !== 0,
  isRight: i % 3 !== 0 ? i % 4 !== 0 : i % 2 !== 0,
}));

test('half with an image, failures in their proportion, spread over the whole, in order', () => {
  const chosen = chooseMentions(many, 20);
  assert.equal(
    chosen,
    [...new Set(chosen)].sort((a, b) => a - b),
  );
  const count = (hasImage: boolean, isRight: boolean) =>
    chosen.filter((i) => many[i]!.hasImage === hasImage && many[i]!.isRight === isRight).length;
  assert.equal([count(true, true), count(true, false)], [7, 3]);
  assert.equal([count(false, true), count(false, false)], [5, 5]);
  for (const part of [0, 80, 160]) assert.ok(chosen.filter((i) => i >= part && i < part + 80).length >= 5);
});

test('too few of one kind are made up for by the other; too few at all are all shown', () => {
  const few = many.map((each, i) => ({ ...each, hasImage: i < 3 }));
  assert.is(chooseMentions(few, 20).filter((i) => i < 3).length, 3);
  assert.is(chooseMentions(few, 20).length, 20);
  assert.equal(chooseMentions(many.slice(0, 7), 20), [0, 1, 2, 3, 4, 5, 6]);
  assert.equal(chooseMentions([], 20), []);
});

test('as many of each kind, and more of one where the other has too few', () => {
  const kinds = many.map((each, i) => ({ ...each, kind: i < 90 ? 'gloss' : 'sentence' }));
  const chosen = chooseMentions(kinds, 20);
  assert.is(chosen.filter((i) => i < 90).length, 10);
  assert.is(chosen.length, 20);
  assert.is(chosen.filter((i) => i < 90 && kinds[i]!.hasImage).length, 5);
  for (const kinds of [
    ['gloss', 'sentence'],
    ['sentence', 'gloss'],
  ]) {
    const few = many.map((each, i) => ({ ...each, kind: i < 3 ? kinds[0]! : kinds[1]! }));
    assert.is(chooseMentions(few, 20).length, 20);
    assert.is(chooseMentions(few, 20).filter((i) => i < 3).length, 3);
  }
  const last = many.map((each, i) => ({ ...each, kind: i < 237 ? 'gloss' : 'sentence' }));
  assert.is(chooseMentions(last, 20).length, 20);
});

test('failures: the surest first, a word once, as many of each kind', () => {
  const failures = Array.from({ length: 40 }, (_, number) => ({
    number,
    kind: number % 4 === 0 ? 'gloss' : 'sentence',
    word: number === 39 ? 'Word38' : `word${number}`,
    lead: number,
  }));
  assert.equal(chooseFailures(failures, 6), [39, 37, 36, 35, 32, 28]);
  assert.equal(chooseFailures(failures.slice(0, 3), 10), [2, 1, 0]);
  assert.equal(chooseFailures([], 10), []);
});

test.run();

// Memory that is used again: what is given back is taken again, and what was not is not.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Scratch } from '../../../ranking/index/scratch.ts';

const mebibyte = 2 ** 20;

test('what is given back is taken again, if it is large enough and not much too large', () => {
  const scratch = new Scratch();
  const first = scratch.take(mebibyte);
  assert.is(first.length, mebibyte);
  const second = scratch.take(mebibyte);
  assert.is.not(second, first);
  scratch.give(first);
  assert.is.not(scratch.take(mebibyte + 1), first);
  assert.is.not(scratch.take(mebibyte / 2 - 1), first);
  assert.is(scratch.take(mebibyte / 2), first);
  assert.is.not(scratch.take(mebibyte), first);
});

test('small arrays are not kept, and not too many large ones', () => {
  const scratch = new Scratch();
  const small = scratch.take(1000);
  scratch.give(small);
  assert.is.not(scratch.take(1000), small);
  const all = Array.from({ length: 20 }, () => scratch.take(mebibyte));
  for (const memory of all) scratch.give(memory);
  const again = Array.from({ length: 20 }, () => scratch.take(mebibyte));
  assert.is(again.filter((memory) => all.includes(memory)).length, 16);
});

test.run();

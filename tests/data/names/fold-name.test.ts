// Names that people take for the same fold to the same.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { foldName } from '../../../data/names/name-form.ts';

test('case, accents, width and spaces do not matter, anything else does', () => {
  for (const name of ['café noir', 'Café  Noir', ' CAFE\tNOIR ', 'Cafe\u0301 noir', 'ｃａｆé noir']) {
    assert.is(foldName(name), 'cafe noir', name);
  }
  assert.is(foldName('İstanbul'), 'istanbul');
  assert.is(foldName('東京'), '東京');
  assert.is.not(foldName('कि'), foldName('का'), 'vowel signs tell names apart');
  assert.is.not(foldName('bats'), foldName('bat'));
  assert.is(foldName(''), '');
});

test.run();

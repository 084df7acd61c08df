// Mistyped mentions: one error or the other number, in the sentence too, and the alias table finds them again.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { aliasTable } from '../../../data/names/name-matches.ts';
import { mistyped } from '../../../train/calibration/mistyped.ts';
import { RandomStream } from '../../../train/random-stream.ts';

test('a word changes, in its sentence too, and is found as nearly its name or as its other number', async () => {
  const names = ['elephant', 'police car', 'tyrannosaurus', 'Bactrian camel'];
  const table = aliasTable(names.map((name) => ({ name, aliases: [] })));
  const draws = new RandomStream(4);
  const seen = new Set<string>();
  for (let i = 0; i < 400; i++) {
    const row = i % names.length;
    const word = names[row]!;
    const found = mistyped({ word, sentence: `Look, a ${word}!`, id: i }, draws);
    if (!found) continue;
    assert.is.not(found.word, word);
    assert.is(found.sentence, `Look, a ${found.word}!`);
    assert.is(found.word[0], word[0], 'the first letter stays');
    assert.is(found.id, i);
    assert.equal(
      (await table.matches(found.word)).map((match) => match.row),
      [row],
      found.word,
    );
    seen.add(found.word);
  }
  assert.ok(seen.size > 60, `${seen.size}`);
  assert.ok(seen.has('elephants') && seen.has('police cars'));
});

test('short words stay', () => {
  assert.is(mistyped({ word: 'bear', sentence: 'A bear.' }, new RandomStream(1)), null);
});

test.run();

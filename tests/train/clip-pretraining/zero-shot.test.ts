// Ranks of dev's mentions by vectors that are given.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { devTexts, zeroShot } from '../../../train/clip-pretraining/text/zero-shot.ts';
import { device } from '../../support/device.ts';

test('ranks, kinds, and the right sense among the entities of a name', async () => {
  const entity = (name: string, aliases: string[] = []) => ({
    id: 0,
    qid: name,
    name,
    aliases,
    attributes: '',
    images: [],
  });
  const entities = [entity('Bank'), entity('shore', ['bank']), entity('mouse'), entity('cat')];
  const mention = (word: string, row: number, kind: 'gloss' | 'sentence') => ({
    id: word,
    word,
    sentence: '',
    entity: row,
    image: null,
    kind,
  });
  const dev = devTexts(entities, [
    mention('bank', 0, 'sentence'),
    mention('Bank', 1, 'sentence'),
    mention('mouse', 2, 'gloss'),
  ]);
  assert.equal(dev.namesakes, [[0, 1], [0, 1], [2]]);
  const known = { values: Float32Array.of(1, 0, 0, 1, 0.5, 0.5, -1, 0), width: 2 };
  // The first bank is nearest to its mention; to the second one the other bank and the mouse are nearer.
  const asked = { values: Float32Array.of(0.5, 0.4, 1, 0.1, -1, 0), width: 2 };
  const { all, gloss, sentence, senses } = await zeroShot(device, dev, asked, known);
  assert.is(gloss!.mr, 3);
  assert.is(sentence!.mr, (1 + 3) / 2);
  assert.is(all.mr, 7 / 3);
  assert.equal(senses, { gloss: null, sentence: 50 });
});

test.run();

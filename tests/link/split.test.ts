// One expert on one split, on toy data: however the knowledge base is held, its ranks are the same.

import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../engine/random.ts';
import { openSession } from '../../link/session.ts';
import { rankSplit } from '../../link/split.ts';
import { Expert } from '../../model/dsmip/expert-model.ts';
import { allExpertKinds } from '../../model/dsmip/experts.ts';
import { device } from '../support/device.ts';
import { makeToy, removeToy } from '../support/toy-run.ts';

const toy = await makeToy();
const session = await openSession({
  device,
  data: toy.data,
  clip: toy.clip,
  cache: '',
});

for (const kind of allExpertKinds) {
  test(`${kind}: ranks are the same of entities in memory, in a file's table and encoded as they come`, async () => {
    const shape = { hidden: 8, prompts: { length: 2, depth: 2 } };
    const expert = new Expert(device, kind, session.clip, shape, new Random(3));
    const inMemory = await rankSplit(session, expert, 'train', session.features);
    assert.is(inMemory.length, 40);
    assert.ok(new Set(inMemory).size > 3, `${inMemory}`);
    assert.equal(await rankSplit(session, expert, 'train', session.features, 0), inMemory);
    const cache = join(toy.folder, 'cache');
    for (let i = 0; i < 2; i++) {
      assert.equal(await rankSplit(session, expert, 'train', { ...session.features, cache }), inMemory);
    }
    const table = await expert.prepare('entity', session.corpus.entities, [0], session.features);
    const tokens = (['text', 'image'] as const).map((of) => (table[of]?.tokens as Float32Array)?.length ?? 0);
    const oneImage = { ...session.corpus.entities, images: session.corpus.entities.images.map(() => []) };
    assert.is(expert.preparedBytes(oneImage), 4 * (tokens[0]! + tokens[1]!));
  });
}

test.after(() => removeToy(toy));

test.run();

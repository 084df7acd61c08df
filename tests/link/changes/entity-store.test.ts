// Entities that are put and deleted beside an index: answers are those of an index that is built of the changed knowledge
// base, at once and for whoever opens it later.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildIndex } from '../../../eval/build-index.ts';
import { type Linked, type LinkMention, openLinker } from '../../../link/linker.ts';
import { calibrate } from '../../../train/calibration/calibrate.ts';
import { checkConfig } from '../../../train/config/check.ts';
import { calibrationSchema, indexSchema } from '../../../train/config/schemas.ts';
import { device } from '../../support/device.ts';
import { makeToy, openToy, refusal, removeToy, runFolder, trainToy } from '../../support/toy-run.ts';

const toy = await makeToy(device);
const run = runFolder(toy, 'run');
const places = { data: { folder: toy.data }, clip: { folder: toy.clip }, run: { folder: run } };
const session = await openToy(toy, device);
await trainToy(toy, session, 'run');
await calibrate(checkConfig(calibrationSchema, { ...places, names: { use: true } }), session);

interface Line {
  id: string;
  name: string;
  aliases?: string[];
  attributes: string;
  images?: string[];
}
const words = ['mouse', 'bat', 'crane', 'seal', 'mole', 'jaguar'];
const lines: Line[] = words.map((name, i) => ({
  id: `E${i}`,
  name,
  attributes: i % 2 === 0 ? `animal fur ${i}` : `machine steel ${i}`,
  images: i % 3 === 0 ? [] : [`kb_image/Q${i}_0.jpg`],
}));

async function build(name: string, kb: readonly Line[]): Promise<string> {
  const source = join(toy.folder, `${name}.jsonl`);
  writeFileSync(source, kb.map((line) => JSON.stringify(line)).join('\n'));
  const folder = join(toy.folder, name);
  const own = {
    knowledgeBase: { source, images: toy.data },
    out: { folder },
    index: { dtype: 'int8', shard: 4 },
  };
  await buildIndex(checkConfig(indexSchema, { ...places, ...own }), session);
  return folder;
}

const picture = (id: number) => new Uint8Array(readFileSync(join(toy.data, 'kb_image', `Q${id}_0.jpg`)));
const index = await build('kb', lines);
// E1 is another, E4 is gone, N0 and N1 are new, N2 came and went.
const changed: Line[] = [
  ...lines.filter(({ id }) => id !== 'E1' && id !== 'E4'),
  { id: 'N0', name: 'kiwi', aliases: ['mouse'], attributes: 'animal fur new', images: ['kb_image/Q7_0.jpg'] },
  { id: 'E1', name: 'turkey', attributes: 'machine steel changed', images: ['kb_image/Q8_0.jpg'] },
  { id: 'N1', name: 'walrus', attributes: 'animal fur newer' },
];
const rebuilt = await build('changed', changed);
session.close();

const mentions: LinkMention[] = [
  { word: 'mouse', sentence: 'the animal with fur ran away', image: join(toy.data, 'kb_image', 'Q7_0.jpg') },
  { word: 'turkeys', sentence: 'a machine made of steel' },
  { word: 'walrsu', sentence: 'the animal swam' },
  { word: 'mole', sentence: 'an animal under ground' },
];

function assertSame(found: Linked[][], expected: Linked[][]): void {
  for (const [i, entities] of expected.entries()) {
    const own = found[i]!;
    assert.equal(
      own.map(({ qid, name, attributes, expert }) => ({ qid, name, attributes, expert })),
      entities.map(({ qid, name, attributes, expert }) => ({ qid, name, attributes, expert })),
    );
    for (const [j, { score, probability }] of entities.entries()) {
      assert.ok(Math.abs(own[j]!.score - score) <= 1e-4 * Math.max(1, Math.abs(score)), `${i} ${j}`);
      assert.ok(Math.abs(own[j]!.probability! - probability!) <= 1e-4);
    }
  }
}

test('answers with changes are those of an index of the changed entities, now and when opened again', async () => {
  const other = await openLinker({ index: rebuilt, device });
  const all = await other.link(mentions, { top: 10 });
  const few = await other.link(mentions, { candidates: 3 });
  assert.is(all[0]!.length, 7);
  await other.close();

  const linker = await openLinker({ index, device, writable: true });
  assert.is(linker.entityCount, 6);
  const before = await linker.link(mentions, { top: 10 });
  assert.is(await linker.put({ qid: 'N2', name: 'gone again', attributes: 'x' }), 'created');
  const outcomes = await Promise.all([
    linker.put({
      qid: 'N0',
      name: 'kiwi',
      aliases: ['mouse'],
      attributes: 'animal fur new',
      image: picture(7),
    }),
    linker.put({ qid: 'E1', name: 'turkey', attributes: 'soon replaced' }),
    linker.put({ qid: 'E1', name: 'turkey', attributes: 'machine steel changed', image: picture(8) }),
    linker.put({ qid: 'N1', name: 'walrus', attributes: 'animal fur newer' }),
    linker.delete('E4'),
    linker.delete('E4'),
    linker.delete('N2'),
    linker.delete('nobody'),
  ]);
  assert.equal(outcomes, ['created', 'replaced', 'replaced', 'created', true, false, true, false]);
  assert.is(linker.entityCount, 7);
  assertSame(await linker.link(mentions, { top: 10 }), all);
  assertSame(await linker.link(mentions, { candidates: 3 }), few);

  assert.equal(await linker.entity('E4'), null);
  assert.equal(await linker.entity('nobody'), null);
  const e1 = { qid: 'E1', name: 'turkey', aliases: [], attributes: 'machine steel changed', images: 1 };
  assert.equal(await linker.entity('E1'), e1);
  const e2 = { qid: 'E2', name: 'crane', aliases: [], attributes: 'animal fur 2', images: 1 };
  assert.equal(await linker.entity('E2'), e2);
  assert.equal((await linker.named('Mice')).map(({ qid }) => qid).sort(), ['E0', 'N0']);
  assert.equal(await linker.named('bat'), []);
  assert.equal(await linker.named('gone again'), []);
  await linker.close();

  // Who only reads knows of it too, and who writes goes on.
  const reader = await openLinker({ index, device });
  assertSame(await reader.link(mentions, { top: 10 }), all);
  assert.match((await refusal(() => reader.put({ qid: 'X', name: 'x' }))).message, /not opened for that/);
  const writer = await openLinker({ index, device, writable: true });
  assertSame(await writer.link(mentions, { candidates: 3 }), few);
  for (const qid of ['N0', 'N1']) assert.ok(await writer.delete(qid));
  for (const [i, line] of lines.entries()) {
    if (i !== 1 && i !== 4) continue;
    await writer.put({ qid: line.id, name: line.name, attributes: line.attributes, image: picture(i) });
  }
  const after = await writer.link(mentions, { top: 10 });
  const byScore = (found: Linked[][]) => found.map((own) => own.toSorted((a, b) => b.score - a.score));
  assertSame(byScore(after), byScore(before));
  await reader.close();
  await writer.close();
});

test('what was put and replaced often leaves nothing behind in memory, and the right one answers', async () => {
  const linker = await openLinker({ index, device, writable: true });
  for (const name of ['alpha', 'bravo', 'charlie', 'delta']) {
    await Promise.all(
      Array.from({ length: 128 }, (_, i) =>
        linker.put({ qid: `R${i % 4}`, name, attributes: `animal fur ${i}` }),
      ),
    );
  }
  assert.equal((await linker.named('delta')).map(({ qid, attributes }) => `${qid} ${attributes}`).sort(), [
    'R0 animal fur 124',
    'R1 animal fur 125',
    'R2 animal fur 126',
    'R3 animal fur 127',
  ]);
  assert.equal(await linker.named('charlie'), []);
  const found = (await linker.link([mentions[0]!], { top: 20 }))[0]!;
  assert.is(found.length, linker.entityCount);
  assert.is(new Set(found.map(({ qid }) => qid)).size, found.length);
  const again = await openLinker({ index, device });
  assertSame(await again.link(mentions, { top: 20 }), await linker.link(mentions, { top: 20 }));
  await again.close();
  await linker.close();
});

test('a knowledge base can be emptied, and filled again', async () => {
  const linker = await openLinker({ index, device, writable: true });
  const [all] = await linker.link([mentions[0]!], { top: 100 });
  await Promise.all(all!.map(({ qid }) => linker.delete(qid)));
  assert.is(linker.entityCount, 0);
  assert.equal(await linker.link(mentions), [[], [], [], []]);
  assert.is(await linker.put({ qid: 'E0', name: 'mouse', attributes: 'animal fur' }), 'created');
  assert.equal(
    (await linker.link(mentions)).map((own) => own.map(({ qid }) => qid)),
    [['E0'], ['E0'], ['E0'], ['E0']],
  );
  await linker.close();
});

test('what cannot be put is one line, changes nothing, and takes no other with it', async () => {
  const linker = await openLinker({ index, device, writable: true });
  const bad = new Uint8Array(9);
  const ends = await Promise.allSettled([
    linker.put({ qid: 'X1', name: 'one' }),
    linker.put({ qid: 'X2', name: 'two', image: bad }),
    linker.put({ qid: 'X3', name: 'three' }),
  ]);
  assert.equal(
    ends.map((end) => (end.status === 'fulfilled' ? end.value : (end.reason as Error).message)),
    ['created', 'X2: image: image of 9 bytes: neither JPEG nor PNG nor WebP', 'created'],
  );
  assert.is(await linker.entity('X2'), null);
  for (const [entity, message] of [
    [{ qid: '', name: 'x' }, /^qid: expected a text/],
    [{ qid: 'x' }, /^name: expected a text/],
    [{ qid: 'x', name: 'x', aliases: [1] }, /^aliases: expected/],
    [{ qid: 'x', name: 'x', image: 7 }, /^image: expected a path/],
  ] as const) {
    assert.match((await refusal(() => linker.put(entity as never))).message, message);
  }
  const strict = await refusal(() =>
    linker.link([mentions[1]!, { ...mentions[2]!, image: bad }], { strictImages: true }),
  );
  assert.match(strict.message, /^mentions\[1\]\.image: image of 9 bytes: neither/);
  await linker.close();
  assert.is((await refusal(() => linker.put({ qid: 'x', name: 'x' }))).message, 'the linker is closed');
});

test.after(() => {
  device.destroy();
  removeToy(toy);
});

test.run();

// What building an index leaves in its folder: the old index until the new one is whole, foreign files always, and nothing of
// builds that are over. On a made-up scorer.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkedJson } from '../../../files/json/checked-json.ts';
import { type BuildOptions, buildIndex, entitiesFingerprint } from '../../../ranking/index/builder.ts';
import { ShardFiles } from '../../../ranking/index/shard-files.ts';
import { openIndex } from '../../../ranking/index/source.ts';
import { rankMentions } from '../../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, range } from '../../../ranking/sources.ts';
import { denseScorer, numberedEntities, preparedSide } from '../../support/dense-scorer.ts';
import { device } from '../../support/device.ts';
import { generator } from '../../support/random.ts';

const [M, E, d] = [5, 50, 4];
const next = generator(3);
const vectors = (n: number) => Float32Array.from({ length: n * d }, () => Math.round(8 * next()) - 4);
const scorer = denseScorer('dense', d, { mention: vectors(M), entity: vectors(E) });
const root = mkdtempSync(join(tmpdir(), 'dsmip-builder-'));
let made = 0;
const newFolder = () => join(root, `${made++}`);
const fingerprints = { model: 'a' };

function build(folder: string, changes: Partial<BuildOptions<number>> = {}) {
  return buildIndex({
    ...numberedEntities(E),
    scorer,
    folder,
    dtype: 'float32',
    shard: 16,
    fingerprints,
    ...changes,
  });
}

const shardsIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.safetensors'));

async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: Error) => error.message,
  );
}

test('an index of a made-up scorer ranks and retrieves as the entities themselves do', async () => {
  const folder = newFolder();
  const { head } = await build(folder);
  assert.is(head.entities, E);
  assert.equal(
    head.shards.map(({ first, count }) => [first, count]),
    [
      [0, 16],
      [16, 16],
      [32, 16],
      [48, 2],
    ],
  );
  const index = await openIndex(folder, scorer, fingerprints);
  const mentions = preparedMentions(preparedSide('mention', [scorer], new Array(M).fill(1)));
  const pass = { systems: [scorer], mentions, gold: Int32Array.from(range(0, M)), top: 4 };
  const prepared = preparedEntities(preparedSide('entity', [scorer], new Array(E).fill(1)));
  assert.equal(
    (await rankMentions({ ...pass, entities: index })).systems,
    (await rankMentions({ ...pass, entities: prepared })).systems,
  );
  const [found, expected] = await Promise.all(
    [index, prepared].map(async (source) => {
      const similarities = await source.loadSimilarities(scorer, 3, 40);
      return device.scope(() => device.read<'f32'>(similarities(mentions.retrievalVectors(scorer, [0, 3]))));
    }),
  );
  assert.equal(found, expected);
  await index.close();
});

test('entities may come from a stream, and no more than a shard of them is held', async () => {
  const folder = newFolder();
  let [given, written] = [0, 0];
  let most = 0;
  async function* stream() {
    for (let i = 0; i < E; i++) {
      most = Math.max(most, ++given - written);
      yield i;
    }
  }
  const onProgress = ({ done }: { done: number }) => {
    written = done;
  };
  await build(folder, { entities: stream, count: null, onProgress });
  assert.is(most, 16);
  await (await openIndex(folder, scorer, fingerprints)).close();
});

test('foreign files, folders and links stay, and what links lead to', async () => {
  const folder = newFolder();
  const elsewhere = newFolder();
  mkdirSync(join(folder, 'notes'), { recursive: true });
  mkdirSync(elsewhere);
  writeFileSync(join(folder, 'notes', 'a.txt'), 'mine');
  writeFileSync(join(folder, 'shard-00001.safetensors'), 'mine');
  writeFileSync(join(elsewhere, 'precious'), 'mine');
  symlinkSync(elsewhere, join(folder, 'link'));
  const { head } = await build(folder);
  // A link in the place of an old shard is no file of ours any more.
  const old = join(folder, head.shards[1]!.file);
  rmSync(old);
  symlinkSync(join(elsewhere, 'precious'), old);
  await build(folder, { shard: 25 });
  for (const path of ['notes/a.txt', 'shard-00001.safetensors', 'link/precious']) {
    assert.is(readFileSync(join(folder, path), 'utf8'), 'mine', path);
  }
  assert.ok(lstatSync(old).isSymbolicLink());
  assert.not.ok(existsSync(join(folder, head.shards[0]!.file)));
  await (await openIndex(folder, scorer, fingerprints)).close();
});

test('a folder that is a link is written through and nothing else in it is touched', async () => {
  const [real, link] = [newFolder(), newFolder()];
  mkdirSync(real);
  writeFileSync(join(real, 'precious'), 'mine');
  symlinkSync(real, link);
  await build(link);
  await build(link, { shard: 10 });
  assert.is(readFileSync(join(real, 'precious'), 'utf8'), 'mine');
  assert.is(shardsIn(real).length, 5);
});

test('a build that fails leaves the index in use as it was, and the next one goes on', async () => {
  const folder = newFolder();
  await build(folder);
  const before = readdirSync(folder);
  const encode = numberedEntities(E).encode;
  const failing = (numbers: readonly number[]) => {
    if (numbers[0]! >= 30) throw new Error('the disk is gone');
    return encode(numbers);
  };
  const changed = { model: 'c' };
  const again = { shard: 10, fingerprints: changed };
  assert.is(await failure(build(folder, { ...again, encode: failing })), 'the disk is gone');
  await (await openIndex(folder, scorer, fingerprints)).close();
  assert.ok(before.every((name) => existsSync(join(folder, name))));
  // What another one left half done goes with the next build that ends, whatever that is of.
  assert.is(await failure(build(folder, { shard: 7, encode: failing })), 'the disk is gone');
  writeFileSync(join(folder, `${before.find((name) => name.startsWith('shard'))}.123-4.tmp`), 'half');
  const { kept } = await build(folder, again);
  assert.is(kept, 3);
  assert.is(shardsIn(folder).length, 5);
  assert.equal(
    readdirSync(folder).filter((name) => !name.endsWith('.safetensors')),
    ['index.json'],
  );
  await (await openIndex(folder, scorer, changed)).close();
});

test('after a change of some entities only their shards are made again', async () => {
  const folder = newFolder();
  await build(folder);
  const stamp = async (numbers: readonly number[]) => (numbers.includes(20) ? 'another' : `${numbers}`);
  const { kept, head } = await build(folder, { stamp });
  assert.is(kept, 3);
  assert.is(shardsIn(folder).length, 4);
  const own = await entitiesFingerprint(range(0, E), 16, stamp);
  await (await openIndex(folder, scorer, { ...fingerprints, 'knowledge base': own })).close();
  assert.is(head.fingerprints['knowledge base'], own);
  const old = await entitiesFingerprint(range(0, E), 16, numberedEntities(E).stamp);
  assert.match(
    await failure(openIndex(folder, scorer, { 'knowledge base': old })),
    /belongs to another knowledge base/,
  );
});

test('a damaged shard is made again', async () => {
  const folder = newFolder();
  const { head } = await build(folder);
  const path = join(folder, head.shards[2]!.file);
  const bytes = readFileSync(path);
  const damaged = Uint8Array.from(bytes);
  damaged[bytes.length - 20]! ^= 1;
  writeFileSync(path, damaged);
  assert.is((await build(folder)).kept, 3);
  assert.equal(readFileSync(path), bytes);
});

test('records lie beside the shards, and go with the knowledge base that they are of', async () => {
  const folder = newFolder();
  const writeRecords = async (path: string) => writeFileSync(path, 'records');
  const { head } = await build(folder, { writeRecords });
  assert.is(readFileSync(join(folder, head.records!), 'utf8'), 'records');
  const { head: next } = await build(folder, { writeRecords, stamp: async () => 'another' });
  assert.not.ok(existsSync(join(folder, head.records!)));
  assert.ok(existsSync(join(folder, next.records!)));
});

test('shards are closed when others are read, and never while one of them is', async () => {
  const folder = newFolder();
  const { head } = await build(folder, { shard: 5 });
  const files = new ShardFiles(folder, head, 1);
  const read = (number: number) =>
    files.use(number, async ({ tensors }) => {
      await new Promise((resolve) => setTimeout(resolve, number % 3));
      const data = await tensors.read('retrieval');
      assert.is(data.length, d * head.shards[number]!.count);
      return Number(data[0]);
    });
  const all = range(0, 10);
  const together = await Promise.all([...all, ...all].map(read));
  const alone: number[] = [];
  for (const number of [...all, ...all]) alone.push(await read(number));
  assert.equal(together, alone);
  rmSync(join(folder, head.shards[4]!.file));
  assert.match(await failure(read(4)), /-00004\.safetensors: no such file/);
  await files.close();
});

test('an index of something else is refused in one line that names the file', async () => {
  const folder = newFolder();
  await build(folder);
  const open = (of = scorer, prints: Record<string, string> = fingerprints) =>
    failure(openIndex(folder, of, prints).then((index) => index.close()));
  assert.is(await open(), 'no error');
  assert.is(await open(scorer, { model: 'a' }), 'no error');
  assert.match(await open(scorer, { model: 'x' }), /index\.json: belongs to another model/);
  assert.match(
    await open(scorer, { ...fingerprints, 'knowledge base': 'x' }),
    /index\.json: belongs to another knowledge base/,
  );
  const other = denseScorer('other', d, { mention: vectors(1), entity: vectors(1) });
  assert.match(await open(other), /index\.json: scorer: expected other, found dense/);
  const wider = denseScorer('dense', d + 1, { mention: vectors(1), entity: vectors(1) });
  assert.match(await open(wider), /index\.json: layout: does not fit dense/);
  const text = readFileSync(join(folder, 'index.json'), 'utf8');
  const { checksum: _, ...whole } = JSON.parse(text);
  const changed = (from: string | RegExp, to: string) => {
    const other = JSON.stringify(whole, null, 2).replace(from, to);
    return checkedJson(JSON.parse(other));
  };
  for (const [content, message] of [
    [
      changed('"version": 4', '"version": 2'),
      /index\.json: version: expected 4; build the index again, found 2/,
    ],
    [changed('"retrieval": "vector"', '"retrieval": "x"'), /index\.json: retrieval: expected/],
    [changed('"entities": 50', '"entities": 51'), /index\.json: shards: expected/],
    [changed(/shard-[0-9a-f]+-00001/, '../shard-00001'), /index\.json: shards: expected/],
    [changed('"columns": 4', '"columns": -4'), /index\.json: layout: expected/],
    [
      text.replace('"entities": 50', '"entities": 51'),
      /index\.json: was damaged or edited \(wrong checksum\)/,
    ],
    [text.replace('"checksum"', '"chacksum"'), /index\.json: checksum: expected one; build the index again/],
    [text.slice(0, 100), /index\.json: was damaged or edited/],
    [text.slice(0, 10), /index\.json: not valid JSON/],
    ['[]', /index\.json: expected an object, found an array/],
  ] as const) {
    writeFileSync(join(folder, 'index.json'), content);
    assert.match(await open(), message);
  }
});

test.after(() => rmSync(root, { recursive: true }));

test.run();

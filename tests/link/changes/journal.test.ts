// The journal of changes: what was appended is there again, whatever a kill left behind it, and damage is told from that.

import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Change, openJournal, readChanges } from '../../../link/changes/journal.ts';
import { refusal } from '../../support/toy-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-journal-'));
test.after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = () => join(folder, `${files++}.log`);

function put(qid: string, imageBytes = 0): Change {
  const image = imageBytes === 0 ? null : new Uint8Array(imageBytes).map((_, i) => i * 7);
  return { put: { qid, name: `name of ${qid} é`, aliases: ['a', 'b'], attributes: '', image } };
}

async function changesOf(path: string): Promise<Change[]> {
  const found: Change[] = [];
  for await (const some of readChanges(path)) found.push(...some);
  return found;
}

async function written(frames: readonly Change[][]): Promise<string> {
  const path = newFile();
  const journal = await openJournal(path);
  for (const changes of frames) await journal.append(changes);
  await journal.close();
  return path;
}

test('the last change of each entity is read, in the order of the changes; no file has none', async () => {
  assert.equal(await changesOf(newFile()), []);
  const path = await written([
    [put('A'), put('B', 30)],
    [{ delete: 'C' }, put('A', 5)],
    [{ delete: 'B' }, put('D')],
  ]);
  const expected = [{ delete: 'C' }, put('A', 5), { delete: 'B' }, put('D')];
  assert.equal(await changesOf(path), expected);
  const again = await openJournal(path);
  await again.append([put('E')]);
  await again.close();
  assert.equal(await changesOf(path), [...expected, put('E')]);
});

test('a file that is cut anywhere has the frames before the cut, and goes on after them', async () => {
  const path = await written([[put('A'), { delete: 'X' }], [put('B', 9)]]);
  const bytes = readFileSync(path);
  const whole = [put('A'), { delete: 'X' } as Change];
  const first = statSync(await written([whole])).size;
  for (let size = 20; size <= bytes.length; size++) {
    writeFileSync(path, bytes);
    truncateSync(path, size);
    const before = size < first ? [] : size < bytes.length ? whole : [...whole, put('B', 9)];
    assert.equal(await changesOf(path), before, `${size} bytes`);
    if (size % 11 !== 0) continue;
    const journal = await openJournal(path);
    await journal.append([put('Z')]);
    await journal.close();
    assert.equal(await changesOf(path), [...before, put('Z')], `${size} bytes`);
  }
  // A length that the disk knew of before its bytes.
  writeFileSync(path, bytes);
  appendFileSync(path, new Uint8Array(300));
  assert.equal(await changesOf(path), [...whole, put('B', 9)]);
});

test('damage before whole frames is no end, and other files are refused', async () => {
  const path = await written([[put('A')], [put('B')], [put('C')]]);
  const bytes = readFileSync(path);
  for (const at of [20, 24, 30, 60]) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1;
    writeFileSync(path, damaged);
    const { message } = await refusal(() => changesOf(path));
    assert.match(message, /\.log: damaged at byte 20/);
    assert.match((await refusal(() => openJournal(path))).message, /damaged at byte 20/);
    assert.equal(readFileSync(path), damaged, 'nothing is cut off');
  }
  for (const [content, message] of [
    ['something else that is long enough', /not a file of changes/],
    ['short', /not a file of changes/],
  ] as const) {
    writeFileSync(path, content);
    assert.match((await refusal(() => changesOf(path))).message, message);
  }
  const other = Buffer.from(bytes);
  other.writeUInt32LE(9, 8);
  writeFileSync(path, other);
  assert.match((await refusal(() => changesOf(path))).message, /expected version 1 of changes, found 9/);
});

test('one has it at a time, and one that was closed lets go', async () => {
  const path = newFile();
  const journal = await openJournal(path);
  assert.match((await refusal(() => openJournal(path))).message, /this process is writing there already/);
  await journal.close();
  await (await openJournal(path)).close();
});

test('what others replaced goes when a large file is opened again', async () => {
  const frames = Array.from({ length: 40 }, () => [put('A', 2 ** 16)]);
  const path = await written([[{ delete: 'X' }], ...frames, [put('B', 7)]]);
  const before = await changesOf(path);
  assert.ok(statSync(path).size > 2 ** 21);
  const journal = await openJournal(path);
  assert.ok(statSync(path).size < 2 ** 17);
  await journal.append([put('C')]);
  await journal.close();
  assert.equal(await changesOf(path), [...before, put('C')]);
});

test.run();

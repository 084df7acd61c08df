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

test('what a kill leaves of a frame is cut off, and the file goes on before it', async () => {
  const path = await written([[put('A'), { delete: 'X' }]]);
  const whole = [put('A'), { delete: 'X' } as Change];
  const first = statSync(path).size;
  // The end in the head is written last: a kill leaves the one before.
  const head = readFileSync(path).subarray(0, 32);
  const journal = await openJournal(path);
  await journal.append([put('B', 9)]);
  await journal.close();
  const bytes = readFileSync(path);
  bytes.set(head);
  for (let size = first; size <= bytes.length; size++) {
    writeFileSync(path, bytes);
    truncateSync(path, size);
    const before = size < bytes.length ? whole : [...whole, put('B', 9)];
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

test('damage of what somebody was told of is refused wherever it is, and so are other files', async () => {
  const path = await written([[put('A')], [put('B')], [put('C')]]);
  const bytes = readFileSync(path);
  const frame = (bytes.length - 32) / 3;
  const isRefused = async (damaged: Buffer, message: RegExp) => {
    writeFileSync(path, damaged);
    assert.match((await refusal(() => changesOf(path))).message, message);
    assert.match((await refusal(() => openJournal(path))).message, message);
    assert.equal(readFileSync(path), damaged, 'nothing is cut off');
  };
  for (let at = 8; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1;
    const place = 32 + frame * Math.floor((at - 32) / frame);
    const message =
      at < 12 ? /version/ : at < 32 ? /head is damaged/ : new RegExp(`damaged at byte ${place} `);
    await isRefused(damaged, message);
  }
  for (let size = 32; size < bytes.length; size++) {
    await isRefused(Buffer.from(bytes.subarray(0, size)), /damaged at byte/);
  }
  const swapped = Buffer.from(bytes);
  swapped.set(bytes.subarray(32, 32 + frame), 32 + frame);
  swapped.set(bytes.subarray(32 + frame, 32 + 2 * frame), 32);
  await isRefused(swapped, /damaged at byte 32 /);
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
  assert.match((await refusal(() => changesOf(path))).message, /expected version 2 of changes, found 9/);
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

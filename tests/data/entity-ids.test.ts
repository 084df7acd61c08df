// Rows of entities by their ids, of a file that finds them by names.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readEntityIds } from '../../data/entity-ids.ts';
import { openEntityRecords, writeEntityRecords } from '../../data/entity-records.ts';
import { refusal } from '../support/toy-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-ids-'));
test.after(() => rmSync(folder, { recursive: true }));

test('every id has its row, and others have none', async () => {
  const path = join(folder, 'entities.bin');
  const count = 2500;
  const qids = Array.from({ length: count }, (_, i) => (i === 7 ? 'é 漢/?' : `Q${i * i}`));
  const records = qids.map((qid) => ({
    qid,
    name: 'same',
    aliases: [],
    attributes: 'x'.repeat(qid.length),
    images: [],
  }));
  await writeEntityRecords(path, records);
  const opened = await openEntityRecords(path);
  const found: string[] = [];
  for await (const qid of opened.qids()) found.push(qid);
  assert.equal(found, qids);
  const ids = await readEntityIds(opened);
  for (const [row, qid] of qids.entries()) assert.is(await ids.rowOf(qid), row);
  for (const qid of ['', 'Q2', 'q4', 'same']) assert.is(await ids.rowOf(qid), null);
  await opened.close();

  const bytes = readFileSync(path);
  bytes[bytes.indexOf('"Q4"') + 1] = 'R'.charCodeAt(0);
  writeFileSync(path, bytes);
  const damaged = await openEntityRecords(path);
  assert.match((await refusal(() => readEntityIds(damaged))).message, /entity 2: damaged/);
  await damaged.close();
});

test.run();

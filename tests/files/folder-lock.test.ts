// One writer a folder, whoever is killed.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeTextAtomically } from '../../files/atomic-file.ts';
import { InputError } from '../../files/errors.ts';
import { lockFolder, lockName } from '../../files/folder-lock.ts';
import { root, runtimeFlags } from '../support/toy-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-lock-'));
// Beside the sources: Deno finds packages by the place of the program.
const program = join(root, 'tests/programs/lock.ts');
test.after(() => rmSync(folder, { recursive: true }));

/** A process that locks a folder, and its first line. */
async function locker(where: string, pause: number): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, [...runtimeFlags, program, where, String(pause)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let line = '';
  for await (const part of child.stdout!) {
    line += part;
    if (line.includes('\n')) break;
  }
  return { child, line: line.trim() };
}

const ended = (child: ChildProcess) =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', resolve));

test('a second process is told in one line; after kill -9 the next one gets in', async () => {
  const where = join(folder, 'killed');
  const first = await locker(where, 60_000);
  assert.is(first.line, 'locked');
  const { pid } = first.child;
  const refused = await lockFolder(where).then(
    () => null,
    (error: Error) => error,
  );
  assert.instance(refused, InputError);
  assert.match(
    refused!.message,
    new RegExp(`^[^\n]*killed: process ${pid} is writing there; wait for its end [^\n]*$`),
  );
  first.child.kill('SIGKILL');
  await ended(first.child);
  const lock = await lockFolder(where);
  assert.is(readdirSync(where).length, 1, 'the killed one’s file is gone');
  await lock.release();
  await lock.release();
  assert.equal(readdirSync(where), []);
});

test('a process that ends in order leaves nothing', async () => {
  const where = join(folder, 'ended');
  const { child, line } = await locker(where, 0);
  assert.is(line, 'locked');
  await ended(child);
  assert.equal(readdirSync(where), []);
});

test('the same process is refused too, and locks of names are their own', async () => {
  const where = join(folder, 'self');
  const lock = await lockFolder(where);
  const refused = await lockFolder(where).catch((error: Error) => error.message);
  assert.is(refused, `${where}: this process is writing there already`);
  const a = await lockName(join(where, 'a'));
  const b = await lockName(join(where, 'b'));
  assert.is(await lockName(join(where, 'a')).catch(() => 'refused'), 'refused');
  for (const each of [a, b, lock]) await each.release();
  assert.equal(readdirSync(where), []);
});

test('a number that another process has now is no lock, another machine’s is', async () => {
  const where = join(folder, 'reused');
  const lock = await lockFolder(where);
  const [own] = readdirSync(where) as [string];
  await lock.release();
  if (process.platform === 'linux') {
    // This process's number with another beginning.
    const earlier = own.replace(`-${process.pid}-`, `-${process.ppid}-`);
    writeFileSync(join(where, earlier), '');
    await (await lockFolder(where)).release();
    assert.equal(readdirSync(where), []);
  }
  const elsewhere = own.replace(/-[0-9a-f]{12}-/, '-0123456789ab-');
  writeFileSync(join(where, elsewhere), '');
  assert.is(await lockFolder(where).catch(() => 'refused'), 'refused');
  assert.equal(readdirSync(where), [elsewhere]);
});

test('of many that begin at once at most one writes, and one does in the end', async () => {
  const where = join(folder, 'crowd');
  mkdirSync(where);
  const all = await Promise.all(Array.from({ length: 4 }, () => locker(where, 1500)));
  assert.ok(all.filter(({ line }) => line === 'locked').length <= 1);
  await Promise.all(all.map(({ child }) => ended(child)));
  await (await lockFolder(where)).release();
});

test('a folder that cannot be made is one line', async () => {
  const message = await lockFolder(join(program, 'below')).catch((error: Error) => error.message);
  assert.match(String(message), /^[^\n]*lock\.ts/);
});

test('temporary files of processes that are gone are removed, others stay', async () => {
  const where = join(folder, 'temporary');
  mkdirSync(where);
  const file = join(where, 'a.json');
  const names = [
    'a.json.999999999-0.tmp',
    `a.json.${process.ppid}-0.tmp`,
    'b.json.999999999-0.tmp',
    'a.json.x.tmp',
  ];
  for (const name of names) writeFileSync(join(where, name), '');
  await writeTextAtomically(file, '{}');
  assert.equal(readdirSync(where).sort(), ['a.json', ...names.slice(1)].sort());
});

test.run();

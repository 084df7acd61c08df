// Folders that are replaced whole: what fails or is killed leaves the old one, what is not ours stays.

import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../files/errors.ts';
import { replaceFolder } from '../../../files/folders/staged-folder.ts';
import { checkedJson } from '../../../files/json/checked-json.ts';
import { root, runtimeFlags } from '../../support/toy-run.ts';

const base = mkdtempSync(join(tmpdir(), 'dsmip-staged-'));
test.after(() => rmSync(base, { recursive: true }));

/** A body that writes files. */
const writes = (files: Record<string, string>) => async (stage: string) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(stage, name), text);
  return Object.keys(files).length;
};
const read = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'files.json')
      .map(({ name }) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
const caseFolder = (name: string) => {
  const parent = join(base, name);
  mkdirSync(parent);
  return { parent, folder: join(parent, 'index') };
};
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    (error: Error) => {
      assert.instance(error, InputError, error.stack);
      return error.message;
    },
  );

test('new files take the place of old ones; foreign files, folders and links stay', async () => {
  const { parent, folder } = caseFolder('foreign');
  assert.is(await replaceFolder(folder, writes({ a: '1', b: '1' })), 2);
  assert.equal(read(folder), { a: '1', b: '1' });
  writeFileSync(join(folder, 'notes.txt'), 'mine');
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'sub', 'deep'), 'mine');
  const outside = join(parent, 'outside');
  writeFileSync(outside, 'mine');
  symlinkSync(outside, join(folder, 'link'));
  await replaceFolder(folder, writes({ b: '2', c: '2' }));
  assert.equal(read(folder), { b: '2', c: '2', 'notes.txt': 'mine' });
  assert.is(readFileSync(join(folder, 'sub', 'deep'), 'utf8'), 'mine');
  assert.is(readFileSync(join(folder, 'link'), 'utf8'), 'mine');
  assert.equal(readdirSync(parent).sort(), ['index', 'outside']);
});

test('subfolders are parts of the set, and files of a name that is meant to be replaced are', async () => {
  const { parent, folder } = caseFolder('subfolders');
  const deep = (files: Record<string, string>) => async (stage: string) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(stage, name, '..'), { recursive: true });
      writeFileSync(join(stage, name), text);
    }
  };
  mkdirSync(join(folder, 'model'), { recursive: true });
  writeFileSync(join(folder, 'model', 'mine'), 'mine');
  writeFileSync(join(folder, 'page'), 'mine');
  assert.match(await refusal(replaceFolder(folder, deep({ page: '1' }))), /index: page was not written/);
  await replaceFolder(folder, deep({ page: '1', 'model/a': '1', 'old/b': '1' }), { overwrites: true });
  await replaceFolder(folder, deep({ page: '2', 'model/c': '2' }));
  assert.equal(read(folder), { page: '2' });
  assert.equal(read(join(folder, 'model')), { c: '2', mine: 'mine' });
  assert.equal(readdirSync(folder).sort(), ['files.json', 'model', 'page']);
  assert.equal(readdirSync(parent), ['index']);
});

test('what fails leaves the old files and nothing beside', async () => {
  const { parent, folder } = caseFolder('failing');
  await replaceFolder(folder, writes({ a: '1' }));
  const failing = replaceFolder(folder, async (stage) => {
    await writes({ a: '2' })(stage);
    throw new InputError('no');
  });
  assert.is(await refusal(failing), 'no');
  assert.equal(read(folder), { a: '1' });
  assert.equal(readdirSync(parent), ['index']);
});

test('foreign files of the same name, links, files and a second writer are refused', async () => {
  const { parent, folder } = caseFolder('refused');
  mkdirSync(folder);
  writeFileSync(join(folder, 'a'), 'mine');
  assert.match(
    await refusal(replaceFolder(folder, writes({ a: '1' }))),
    /index: a was not written by this program/,
  );
  assert.equal(read(folder), { a: 'mine' });
  const link = join(parent, 'link');
  symlinkSync(folder, link);
  assert.match(await refusal(replaceFolder(link, writes({}))), /expected a folder or nothing, found a link$/);
  const file = join(folder, 'a');
  assert.match(await refusal(replaceFolder(file, writes({}))), /found a file$/);
  const inner = replaceFolder(folder, () => replaceFolder(folder, writes({})));
  assert.match(await refusal(inner), /index: this process is writing there already$/);
});

test('a manifest that names what is outside deletes nothing there', async () => {
  const { parent, folder } = caseFolder('manifest');
  const outside = join(parent, 'precious');
  writeFileSync(outside, 'mine');
  await replaceFolder(folder, writes({ a: '1' }));
  const manifest = { version: 2, files: ['a', '../precious', 'x/../../precious', '..', '', outside] };
  writeFileSync(join(folder, 'files.json'), checkedJson(manifest));
  await replaceFolder(folder, writes({ b: '2' }));
  assert.is(readFileSync(outside, 'utf8'), 'mine');
  assert.equal(read(folder), { b: '2' });
});

test('a kill between the two renames is put right by the next writing', async () => {
  const { parent, folder } = caseFolder('between');
  await replaceFolder(folder, writes({ a: '1' }));
  writeFileSync(join(folder, 'notes.txt'), 'mine');
  renameSync(folder, join(parent, '.index.old'));
  const failing = replaceFolder(folder, async () => {
    throw new InputError('no');
  });
  assert.is(await refusal(failing), 'no');
  assert.equal(read(folder), { a: '1', 'notes.txt': 'mine' });
});

test('kill -9 at any moment leaves old files or new ones', async () => {
  const { parent, folder } = caseFolder('killed');
  await replaceFolder(folder, writes({ a: '0', b: '0' }));
  writeFileSync(join(folder, 'notes.txt'), 'mine');
  const program = join(root, 'tests/programs/replace.ts');
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, [...runtimeFlags, program, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const _ of child.stdout) break;
    await new Promise((resolve) => setTimeout(resolve, 3 + 7 * round));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    const failing = replaceFolder(folder, async () => {
      throw new InputError('no');
    });
    assert.is(await refusal(failing), 'no');
    const { a, b, ...rest } = read(folder);
    assert.is(a, b);
    assert.equal(rest, { 'notes.txt': 'mine' });
    assert.equal(readdirSync(parent), ['index']);
    assert.ok(existsSync(join(folder, 'files.json')));
  }
});

test.run();

// Downloads from a hub that drops connections, lies and fails: the file is whole and right, or there is one line, no
// file of that name, and a part that the next run goes on with. The command in processes of its own.

import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WeightsError } from '../../files/errors.ts';
import { downloadTo } from '../../weights/download-file.ts';
import { downloadModel } from '../../weights/download-model.ts';
import { findOnHub } from '../../weights/hub.ts';
import { atRevision, hubModels } from '../../weights/hub-models.ts';
import { generator } from '../support/random.ts';
import { sha256, startFakeHub } from './fake-hub.ts';

const hub = await startFakeHub();
const root = fs.mkdtempSync(join(os.tmpdir(), 'dsmip-download-'));
let folder = '';
test.before.each(() => {
  hub.faults = {};
  hub.requests.length = 0;
  folder = fs.mkdtempSync(join(root, 'test-'));
});
test.after(async () => {
  await hub.close();
  fs.rmSync(root, { recursive: true });
});

const random = generator(21);
const big = Uint8Array.from({ length: 400_000 }, () => random() * 256);
const small = new TextEncoder().encode('{"model_type": "clip"}');
hub.files.set('/timm/vgg16.tv_in1k/resolve/main/model.safetensors', big);
hub.files.set('/owner/name/resolve/refs/pr/1/model.safetensors', big);
hub.files.set('/owner/name/resolve/main/config.json', small);
const file = { repo: 'owner/name', path: 'model.safetensors', revision: 'refs/pr/1', as: 'weights' };
const quick = { endpoint: `${hub.url}/`, pauseMs: 1, stallMs: 20_000 };
const isPart = (name: string) => name.endsWith('.part');

/** Downloads into the test's folder and gives the bytes, the outcome and the progress. */
async function download(what = file, options: Partial<typeof quick> & { retries?: number } = {}) {
  const target = join(folder, 'weights');
  const progress: number[] = [];
  const remote = await findOnHub(what, { ...quick, ...options });
  const outcome = await downloadTo(target, remote, (done) => progress.push(done), { ...quick, ...options });
  return { bytes: new Uint8Array(fs.readFileSync(target)), outcome, progress };
}

async function refusal(...of: Parameters<typeof download>): Promise<string> {
  const refused = await download(...of).then(
    () => null,
    (error) => error,
  );
  assert.instance(refused, WeightsError);
  assert.not.match(refused.message, '\n');
  assert.not.ok(fs.existsSync(join(folder, 'weights')), 'nothing has the name of the file');
  return refused.message;
}

test('large and small files come whole, with their checksums; what is there is left alone', async () => {
  const { bytes, outcome, progress } = await download();
  assert.equal(bytes, big);
  assert.is(outcome, 'downloaded');
  assert.is(progress.at(-1), big.length);
  assert.equal(
    progress,
    [...progress].sort((a, b) => a - b),
  );
  assert.equal(fs.readdirSync(folder), ['weights']);
  hub.requests.length = 0;
  assert.is((await download()).outcome, 'there');
  assert.not.ok(hub.requests.some((line) => line.includes('/resolve/') && !line.endsWith('bytes=0-0')));
  const config = { ...file, path: 'config.json', revision: 'main' };
  assert.equal((await download(config)).bytes, small);
});

test('a list that does not end is given up', async () => {
  hub.faults = { listed: (entry) => Object.assign(entry, { note: 'x'.repeat(2 ** 24) }) };
  assert.match(await refusal(), /paths-info\/.*: an answer of more than 16777216 bytes$/);
});

test('a model is fetched file by file, and told of', async () => {
  const told: unknown[] = [];
  const model = await downloadModel('vgg16', {
    ...quick,
    folder,
    onFile: (target, bytes) => told.push([target, bytes]),
    onProgress: (done) => done === big.length && told.push(done),
    onDone: (target, outcome) => told.push([target, outcome]),
  });
  assert.is(model, undefined);
  const target = join(folder, 'vgg16.safetensors');
  assert.equal(told, [[target, big.length], big.length, [target, 'downloaded']]);
  const message = await downloadModel('constructor', { folder }).catch((error: Error) => error.message);
  assert.match(String(message), /^'constructor': expected one of clip-vit-base-patch32, /);
});

test('connections that drop at random places are gone on with', async () => {
  for (let seed = 1; seed <= 5; seed++) {
    fs.rmSync(join(folder, 'weights'), { force: true });
    const next = generator(seed);
    let drops = 4;
    hub.faults = {
      dropAfter: () => (next() < 0.8 && drops-- > 0 ? Math.floor(next() * 200_000) : null),
      status: () => (next() < 0.1 ? 503 : null),
    };
    assert.equal((await download()).bytes, big);
  }
});

test('a run that ended is gone on with by the next, from the place it came to', async () => {
  hub.faults = { dropAfter: (path) => (path.includes('/resolve/') ? 150_000 : null) };
  const message = await refusal(file, { retries: 0 });
  assert.match(message, /^owner\/name\/model\.safetensors: the connection (broke off|ended after)/);
  const [part] = fs.readdirSync(folder).filter(isPart);
  const { size } = fs.statSync(join(folder, part!));
  assert.ok(size > 0 && size <= 150_000, `${size} bytes`);
  hub.faults = {};
  hub.requests.length = 0;
  const { bytes, progress } = await download();
  assert.equal(bytes, big);
  assert.is(progress[0], size);
  assert.ok(
    hub.requests.some((line) => line.endsWith(`bytes=${size}-399999`)),
    hub.requests.join('\n'),
  );
  assert.equal(fs.readdirSync(folder), ['weights']);
});

test('a damaged part is thrown away and fetched anew; a part of another version is not gone on with', async () => {
  const name = `weights.${sha256(big).slice(0, 12)}.part`;
  fs.writeFileSync(join(folder, name), new Uint8Array(1000));
  fs.writeFileSync(join(folder, 'weights.0123456789ab.part'), 'old');
  assert.equal((await download()).bytes, big);
  fs.rmSync(join(folder, 'weights'));
  fs.writeFileSync(join(folder, name), new Uint8Array(big.length + 1));
  assert.equal((await download()).bytes, big);
  assert.equal(fs.readdirSync(folder), ['weights']);
});

test('wrong bytes, wrong sizes and wrong answers are refused in one line', async () => {
  const wrong = big.slice();
  wrong[7]! ^= 1;
  hub.faults = { body: () => wrong };
  assert.match(
    await refusal(),
    new RegExp(`: wrong checksum ${sha256(wrong)}, the hub says ${sha256(big)}; `),
  );
  assert.equal(fs.readdirSync(folder), []);
  hub.faults = { body: () => new Uint8Array([...big, 1]) };
  assert.match(await refusal(), /the server sends more than the 400000 bytes it has/);
  fs.rmSync(folder, { recursive: true });
  hub.faults = { body: () => big.subarray(0, 300_000) };
  assert.match(
    await refusal(file, { retries: 0 }),
    /the connection (ended after 300000 of 400000|broke off)/,
  );
  hub.faults = { listed: (entry) => Object.assign(entry, { size: 5 }) };
  assert.match(await refusal(), /the hub says 5 bytes in one place, 400000 in another/);
  for (const lie of [{ size: 2 ** 63 }, { size: -1 }, { lfs: { oid: '../..' } }, { lfs: { oid: 5 } }]) {
    hub.faults = { listed: (entry) => Object.assign(entry, lie) };
    assert.match(await refusal(), /the hub does not say its size and checksum/);
  }
  hub.faults = { ignoresRanges: true };
  assert.match(await refusal(), /the hub's answer makes no sense \(Expected size information\)/);
});

test('what the hub does not have is named, and a pinned checksum counts', async () => {
  const other = { ...file, path: 'model.safetensors', revision: 'main' };
  assert.match(
    await refusal(other),
    /^owner\/name: has no model\.safetensors at revision main; conversions lie/,
  );
  const missing = (path: string) => (path.startsWith('/api/') ? 404 : null);
  hub.faults = { status: missing };
  assert.is(await refusal(), "owner/name: the hub has no such repository with a revision 'refs/pr/1'");
  hub.faults = { status: () => 403 };
  assert.match(await refusal(), /: the server answered with status 403$/);
  hub.faults = {};
  const pinned = { ...file, sha256: 'f'.repeat(64) };
  assert.is(
    await refusal(pinned),
    `owner/name/model.safetensors: expected the SHA-256 ${'f'.repeat(64)}, the hub has ${sha256(big)}`,
  );
});

test('another revision of the weights is asked for without the checksum of the first', () => {
  const model = atRevision(hubModels['clip-vit-base-patch32']!, 'refs/pr/9');
  const weights = model.files.find(({ path }) => path === 'model.safetensors')!;
  assert.is(weights.revision, 'refs/pr/9');
  assert.not.ok('sha256' in weights);
  assert.ok(model.files.filter(({ revision }) => revision === 'main').length === 3);
});

// A device that is always full exists on Linux only.
(fs.existsSync('/dev/full') ? test : test.skip)('a full disk is one line', async () => {
  fs.symlinkSync('/dev/full', join(folder, `weights.${sha256(big).slice(0, 12)}.part`));
  assert.match(
    await refusal(),
    /\.part: no space left on the disk, 400000 of 400000 bytes are still to come/,
  );
});

test('the command: a run, a second one, help, mistakes', async () => {
  const args = ['vgg16', '--to', folder, '--endpoint', hub.url];
  const first = await command(args).ended;
  assert.is(first.code, 0, first.stderr);
  assert.match(first.stdout, /vgg16\.safetensors: downloaded, checksum right/);
  assert.equal(new Uint8Array(fs.readFileSync(join(folder, 'vgg16.safetensors'))), big);
  assert.match((await command(args).ended).stdout, /vgg16\.safetensors: is there already/);
  assert.match((await command(['--help']).ended).stdout, /Usage: dsmip download MODEL/);
  for (const [wrong, message] of [
    [['vgg'], /^'vgg': expected one of clip-vit-base-patch32, /],
    [['vgg16', '--into', 'x'], /unknown option '--into'/],
    [['vgg16', '--endpoint', 'hub'], /^--endpoint hub: expected an http or https address/],
    [
      ['clip-vit-base-patch16', '--to', folder, '--endpoint', hub.url],
      /^openai\/clip-vit-base-patch16: has no config/,
    ],
  ] as const) {
    const { code, stderr } = await command([...wrong]).ended;
    assert.is(code, 1);
    assert.match(stderr, message);
    assert.is(stderr.trim().split('\n').length, 1);
  }
});

test('the command, interrupted, leaves a part that the next run goes on with', async () => {
  hub.faults = { stallAfter: (path) => (path.includes('/resolve/') ? 200_000 : null) };
  const args = ['vgg16', '--to', folder, '--endpoint', hub.url];
  const running = command(args);
  const partSize = () => {
    const part = fs.readdirSync(folder).find(isPart);
    return part ? fs.statSync(join(folder, part)).size : 0;
  };
  while (partSize() < 200_000) await new Promise((wake) => setTimeout(wake, 20));
  running.interrupt();
  const { code, stderr } = await running.ended;
  // Deno says of a child that was sent a signal that it died of it, whatever code it ended with.
  if (!('Deno' in globalThis)) assert.is(code, 130);
  assert.match(stderr, /stopped; run it again to go on/);
  hub.faults = {};
  hub.requests.length = 0;
  assert.is((await command(args).ended).code, 0);
  assert.ok(
    hub.requests.some((line) => line.endsWith('bytes=200000-399999')),
    hub.requests.join('\n'),
  );
  assert.equal(fs.readdirSync(folder), ['vgg16.safetensors']);
});

test.run();

/** Starts the command in the runtime of this test. */
function command(args: string[]) {
  const script = fileURLToPath(new URL('../../cli/dsmip.ts', import.meta.url));
  const runtime = 'Deno' in globalThis ? ['run', '-A'] : [];
  const child = spawn(process.execPath, [...runtime, script, 'download', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((done) => {
    child.on('close', (code) => done({ code, stdout, stderr }));
  });
  return { ended, interrupt: () => child.kill('SIGINT') };
}

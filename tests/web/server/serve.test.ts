// The command `dsmip serve` as a process: the same answers as the command `link`, changes that outlive kill -9, and an end
// that answers what is in hand.

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../../engine/device.ts';
import {
  commandOf,
  complaint,
  dsmip,
  makeToy,
  openToy,
  removeToy,
  runFolder,
  trainToy,
} from '../../support/toy-run.ts';

// A device of its own that is gone before a command opens one.
const device = await openDevice();
const toy = await makeToy(device);
const run = runFolder(toy, 'run');
const session = await openToy(toy, device);
await trainToy(toy, session, 'run');
session.close();
device.destroy();
const common = [...toy.flags, '--run', run];

interface Served {
  url: string;
  send(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void;
  ended: Promise<number | null>;
  stderr(): string;
}

async function serve(...flags: string[]): Promise<Served> {
  const child = spawn(process.execPath, commandOf(['serve', ...common, '--port', '0', ...flags]), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const { value } = await lines.next();
  const url = /^dsmip is at (http:\S+)$/.exec(value ?? '')?.[1];
  if (!url) throw new Error(`no server: ${stderr}`);
  // By its number: a child that Deno itself sends a signal to has no exit code there.
  return { url, send: (signal) => process.kill(child.pid!, signal), ended, stderr: () => stderr };
}

const image = join(toy.data, 'mention_image', 'train1.jpg');
const mentions = [
  { word: 'mouse', sentence: 'the animal with fur ran away', image },
  { word: 'bat', sentence: 'a machine made of steel' },
  { word: 'seal', sentence: 'the animal swam' },
];
interface Scored {
  qid: string;
  score: number;
  expert: string | null;
}
const json = { 'content-type': 'application/json' };

function send(url: string, path: string, method: string, value: object): Promise<Response> {
  return fetch(`${url}${path}`, { method, headers: json, body: JSON.stringify(value) });
}

test('server and command line give the same entities and scores, changes included', async () => {
  const file = join(toy.folder, 'mentions.jsonl');
  writeFileSync(file, mentions.map((mention) => JSON.stringify(mention)).join('\n'));
  const server = await serve();
  const put = await send(server.url, '/entities/N1', 'PUT', { name: 'mouse', description: 'animal fur' });
  assert.equal([put.status, await put.json()], [201, { qid: 'N1', outcome: 'created' }]);
  const asked = mentions.map((mention) =>
    'image' in mention ? { ...mention, image: readFileSync(image).toString('base64') } : mention,
  );
  const answer = await send(server.url, '/link', 'POST', { mentions: asked, top: 20 });
  const { results } = (await answer.json()) as { results: { entities: object[] }[] };
  server.send('SIGTERM');
  assert.is(await server.ended, 0, server.stderr());

  const { stdout, stderr } = dsmip('link', ...common, '--input', file, '--json', '--top', '20');
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.is(lines.length, 3, stderr);
  for (const [i, { entities }] of lines.entries()) {
    const own = results[i]!.entities as Scored[];
    assert.equal(
      own.map(({ qid, expert }) => [qid, expert]),
      (entities as Scored[]).map(({ qid, expert }) => [qid, expert]),
    );
    for (const [j, { score }] of (entities as Scored[]).entries()) {
      assert.ok(Math.abs(score - own[j]!.score) <= 1e-4 * Math.max(1, Math.abs(score)), `${i} ${j}`);
    }
  }
  assert.ok(results[0]!.entities.some((entity) => (entity as Scored).qid === 'N1'));
});

test('every entity that was acknowledged is there after kill -9, at three moments', async () => {
  const acknowledged = new Set<string>();
  for (let time = 0; time < 3; time++) {
    const server = await serve();
    for (const qid of acknowledged)
      assert.is((await fetch(`${server.url}/entities/${qid}`)).status, 200, qid);
    let next = 0;
    const client = async () => {
      for (;;) {
        const qid = `K${time}-${next++}`;
        const entity = { name: 'kiwi', description: `animal fur ${qid}` };
        const answer = await send(server.url, `/entities/${qid}`, 'PUT', entity).catch(() => null);
        if (!answer) return;
        if (answer.status === 201) acknowledged.add(qid);
      }
    };
    const before = acknowledged.size;
    const clients = [client(), client(), client(), client()];
    while (acknowledged.size < before + 20 + 9 * time) await new Promise((resolve) => setTimeout(resolve, 1));
    server.send('SIGKILL');
    await Promise.all([server.ended, ...clients]);
  }
  const server = await serve();
  for (const qid of acknowledged) {
    const answer = await fetch(`${server.url}/entities/${qid}`);
    assert.is(((await answer.json()) as { attributes: string }).attributes, `animal fur ${qid}`);
  }
  const busy = dsmip('serve', ...common, '--port', '0');
  assert.is(busy.status, 1);
  assert.match(complaint(busy.stderr), /changes\.log: process \d+ is writing there/);
  server.send('SIGTERM');
  assert.is(await server.ended, 0);
});

test('at SIGTERM what is in hand is answered; the log is JSON lines without texts', async () => {
  const tokenFile = join(toy.folder, 'token.txt');
  const token = 'secret-token-0123456789';
  writeFileSync(tokenFile, `${token}\n`);
  const server = await serve('--token-file', tokenFile, '--gather', '300');
  const headers = { ...json, authorization: `Bearer ${token}` };
  const body = JSON.stringify({ word: 'mouse', sentence: 'a sentence of nobody else' });
  assert.is((await fetch(`${server.url}/link`, { method: 'POST', headers: json, body })).status, 401);
  const answer = fetch(`${server.url}/link`, { method: 'POST', headers, body });
  await new Promise((resolve) => setTimeout(resolve, 100));
  server.send('SIGTERM');
  assert.is((await answer).status, 200);
  assert.is(await server.ended, 0);
  const lines = complaint(server.stderr())
    .split('\n')
    .map((line) => JSON.parse(line));
  const requests = lines.filter(({ message }) => message === 'request');
  assert.equal(
    requests.map(({ properties: { method, route, status } }) => [method, route, status]),
    [
      ['POST', '/link', 401],
      ['POST', '/link', 200],
    ],
  );
  assert.is(lines.at(-1).message, 'stopped');
  assert.not.match(server.stderr(), /nobody else|secret-token/);
});

test('bytes that are no HTTP, and heads without an end, do not stop it', async () => {
  const server = await serve();
  const { port } = new URL(server.url);
  const said = (text: string) =>
    new Promise<string>((resolve) => {
      let answer = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(text));
      socket.setEncoding('utf8').on('data', (part: string) => {
        answer += part;
      });
      socket.on('close', () => resolve(answer)).on('error', () => resolve(answer));
    });
  for (const text of [
    'nonsense\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(2 ** 17)}\r\n\r\n`,
    'GET / HTTP/1.1\r\nConnection: close\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n',
    'POST /link HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n',
    'POST /link HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n',
  ]) {
    assert.match(await said(text), /^HTTP\/1\.1 4\d\d /, text.slice(0, 60));
  }
  const answer = await send(server.url, '/link', 'POST', mentions[1]!);
  assert.is(answer.status, 200);
  // A connection that is closed after seconds is one that a busy server closes as a request comes. Deno has its own time.
  if (!('Deno' in globalThis)) assert.is(answer.headers.get('keep-alive'), 'timeout=65');
  server.send('SIGINT');
  assert.is(await server.ended, 0);
});

test('wrong flags are one line', () => {
  writeFileSync(join(toy.folder, 'short.txt'), 'short');
  for (const [flags, message] of [
    [['--port', '70000'], /--port: expected an integer of at least 0, at most 65535/],
    [['--token-file', join(toy.folder, 'none.txt')], /none\.txt: no such file/],
    [['--token-file', join(toy.folder, 'short.txt')], /--token-file .*: expected 16 letters or more/],
    [['--kb', toy.folder], /--kb .*: expected the folder of an index/],
  ] as const) {
    const { status, stderr } = dsmip('serve', ...common, ...flags);
    assert.is(status, 1);
    assert.match(complaint(stderr), message);
    assert.is(complaint(stderr).split('\n').length, 1, stderr);
  }
});

test.after(() => removeToy(toy));

test.run();

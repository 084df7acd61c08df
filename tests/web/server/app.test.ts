// The routes over a linker that is made up: what each answers, what is refused and how, and what happens when there is too
// much to do, too little time, or an end.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clipPreprocessing } from '../../../data/images/preprocess.ts';
import { decodeInput } from '../../../data/images/read-pixels.ts';
import { InputError, UsageError } from '../../../files/errors.ts';
import type { EntityToPut, Linker, LinkMention, LinkOptions } from '../../../link/linker.ts';
import { type App, type AppOptions, createApp } from '../../../web/server/app.ts';
import { defaultLimits, type Limits } from '../../../web/server/limits.ts';
import { LinkerKeeper } from '../../../web/server/linker-keeper.ts';
import { siteFiles } from '../../../web/server/site.ts';
import { pictureBytes, wrongRequest } from './malformed-requests.ts';

const explanation = {
  experts: { text: 1 },
  names: 0,
  attention: { text: { word: 0.4, sentence: [{ start: 0, end: 5, weight: 0.5 }] } },
};

/** What the linker was asked, and when it answers. */
interface Made {
  app: App;
  linked: LinkMention[][];
  put: EntityToPut[];
  /** Answers all that waits, where `isHeld`. */
  release(): void;
}

async function made(
  options: Partial<Omit<AppOptions, 'limits'>> & { limits?: Partial<Limits>; isHeld?: boolean } = {},
): Promise<Made> {
  const found: Pick<Made, 'linked' | 'put'> = { linked: [], put: [] };
  let release = () => {};
  const held = options.isHeld ? new Promise<void>((resolve) => (release = resolve)) : Promise.resolve();
  const how = clipPreprocessing(16);
  const check = async (image: LinkMention['image']) => {
    const decoded = await decodeInput(image ?? null, how);
    if ('problem' in decoded) throw new UsageError(decoded.problem);
  };
  const known = { qid: 'Q/1 é', name: 'mouse', aliases: [], attributes: 'a rodent', images: 1 };
  const linker: Linker = {
    entityCount: 3,
    system: 'dsmip',
    isCalibrated: true,
    async link(mentions, { top = 5, explain, strictImages }: LinkOptions = {}) {
      found.linked.push([...mentions]);
      assert.ok(strictImages);
      for (const { image } of mentions) await check(image);
      await held;
      if (mentions[0]!.word === 'bug') throw new TypeError('secret of the house');
      if (mentions[0]!.word === 'disk') throw new InputError('/secret/place: damaged');
      return mentions.map(() => [
        {
          qid: `top ${top}`,
          name: 'mouse',
          attributes: '',
          score: 1,
          expert: null,
          probability: 0.9,
          inKnowledgeBase: 0.5,
          ...(explain && { explanation }),
        },
      ]);
    },
    entity: async (qid) => (qid === known.qid ? known : null),
    named: async (name) => (name === 'mouse' ? [known] : []),
    async put(entity) {
      await check(entity.image);
      found.put.push(entity);
      return entity.qid === known.qid ? 'replaced' : 'created';
    },
    delete: async (qid) => qid === known.qid,
    close: async () => {},
  };
  const ignored = () => {};
  const keeper = new LinkerKeeper(
    async () => ({ linker, lost: new Promise(() => {}), close: () => linker.close() }),
    { onLost: ignored, onOpened: ignored, onFailure: ignored },
  );
  await keeper.start();
  const app = createApp({
    keeper,
    defaults: { top: 5, candidates: 0, threshold: 0 },
    token: null,
    hosts: null,
    site: null,
    version: '1.2.3',
    ...options,
    limits: { ...defaultLimits, ...options.limits },
  });
  return { app, ...found, release: () => release() };
}

const mention = { word: 'mouse', sentence: 'a small rodent' };
const base64 = Buffer.from(pictureBytes).toString('base64');
const json = { 'content-type': 'application/json' };

async function ask(app: App, path: string, init: RequestInit = {}) {
  const response = await app.fetch(new Request(`http://localhost${path}`, init));
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}
const post = (app: App, value: unknown) =>
  ask(app, '/link', { method: 'POST', headers: json, body: JSON.stringify(value) });
const put = (app: App, path: string, value: unknown) =>
  ask(app, path, { method: 'PUT', headers: json, body: JSON.stringify(value) });

test('mentions are linked, one or many, with an image as base64, a data URL or a form', async () => {
  const { app, linked } = await made();
  const entity = { qid: 'top 5', name: 'mouse', attributes: '', score: 1, expert: null, probability: 0.9 };
  const result = { inKnowledgeBase: 0.5, entities: [entity] };
  const one = await post(app, mention);
  assert.is(one.status, 200);
  assert.equal(one.body, { results: [result] });
  const many = await post(app, {
    mentions: [
      mention,
      { ...mention, image: base64 },
      { ...mention, image: `data:image/jpeg;base64,${base64}` },
    ],
    top: 2,
    threshold: 0.6,
  });
  assert.equal(many.body, { results: Array(3).fill({ inKnowledgeBase: 0.5, entities: [] }) });
  assert.equal(
    linked[1]!.map(({ image }) => image),
    [null, pictureBytes, pictureBytes],
  );
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...mention, top: '7' })) form.set(name, value);
  form.set('image', new Blob([pictureBytes]), '../a.jpg');
  const sent = await ask(app, '/link', { method: 'POST', body: form });
  assert.is(sent.body.results[0].entities[0].qid, 'top 7');
  assert.equal(linked[2], [{ ...mention, image: pictureBytes }]);
});

test('what experts think is said where it is asked for', async () => {
  const { app } = await made();
  const explained = await post(app, { ...mention, explain: true });
  assert.equal(explained.body.results[0].entities[0].explanation, explanation);
  assert.is((await post(app, { ...mention, explain: 1 })).status, 422);
});

test('a site is shown at the root, whose scripts may run and ask this server only', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dsmip-site-'));
  try {
    mkdirSync(join(folder, 'model'));
    writeFileSync(join(folder, 'index.html'), '<title>page</title>');
    await rejects(siteFiles(folder), /no site\.json/);
    writeFileSync(join(folder, 'site.json'), '{}');
    writeFileSync(join(folder, 'model', 'a.gz'), 'abc');
    const site = { folder, files: await siteFiles(folder) };
    assert.equal([...site.files].sort(), ['/', '/index.html', '/model/a.gz', '/site.json']);
    const { app } = await made({ site });
    const root = await ask(app, '/');
    assert.is(root.body, '<title>page</title>');
    assert.is(
      root.headers.get('content-security-policy'),
      "default-src 'self'; img-src 'self' blob: data:; object-src 'none'",
    );
    assert.is((await ask(app, '/site.json')).headers.get('dsmip-links'), 'yes');
    const range = await ask(app, '/model/a.gz', { headers: { range: 'bytes=1-1' } });
    assert.equal([range.status, range.body], [206, 'b']);
    assert.is((await ask(app, '/..%2fpackage.json')).status, 404);
    assert.match((await ask(app, '/docs')).headers.get('content-security-policy')!, /default-src 'none'/);
    assert.is((await post(app, mention)).status, 200);
    // A page has no token to ask with.
    const { app: guarded } = await made({ site, token: 'secret' });
    assert.is((await ask(guarded, '/site.json')).headers.get('dsmip-links'), null);
    assert.is((await post(guarded, mention)).status, 401);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

async function rejects(work: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await work.then(
    () => null,
    (error: Error) => error,
  );
  assert.match(error?.message ?? 'no error', message);
}

test('entities are found by id and name, put and deleted', async () => {
  const { app, put: wasPut } = await made();
  const path = `/entities/${encodeURIComponent('Q/1 é')}`;
  assert.is((await ask(app, path)).body.name, 'mouse');
  assert.is((await ask(app, '/entities/other')).status, 404);
  assert.is((await ask(app, '/entities?name=mouse')).body.entities.length, 1);
  assert.equal((await ask(app, '/entities?name=unknown')).body, { entities: [] });
  const attributes = { size: 'small', food: 'seeds' };
  const replaced = await put(app, path, {
    name: 'mouse',
    description: 'A rodent.',
    attributes,
    image: base64,
  });
  assert.equal([replaced.status, replaced.body], [200, { qid: 'Q/1 é', outcome: 'replaced' }]);
  assert.equal(wasPut[0], {
    qid: 'Q/1 é',
    name: 'mouse',
    aliases: [],
    attributes: 'A rodent. size: small. food: seeds',
    image: pictureBytes,
  });
  const form = new FormData();
  form.set('name', 'bat');
  for (const alias of ['club', 'racket']) form.append('aliases', alias);
  const created = await ask(app, '/entities/N1', { method: 'PUT', body: form });
  assert.equal([created.status, wasPut[1]!.aliases], [201, ['club', 'racket']]);
  assert.is((await ask(app, path, { method: 'DELETE' })).status, 204);
  assert.is((await ask(app, '/entities/other', { method: 'DELETE' })).status, 404);
});

test('health, readiness, metrics, and a description of every route', async () => {
  const { app } = await made();
  assert.equal((await ask(app, '/health')).body, { status: 'ok' });
  assert.equal((await ask(app, '/ready')).body, { ready: true, system: 'dsmip', entities: 3 });
  await post(app, { mentions: [mention, mention] });
  await ask(app, '/entities/secret-id');
  await ask(app, '/nowhere');
  const { body: metrics, headers } = await ask(app, '/metrics');
  assert.match(headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
  for (const line of [
    'dsmip_mentions_total 2',
    'dsmip_http_requests_total{method="POST",route="/link",status="200"} 1',
    'dsmip_http_requests_total{method="GET",route="/entities/{id}",status="404"} 1',
    'dsmip_http_requests_total{method="GET",route="none",status="404"} 1',
    'dsmip_requests_in_hand 0',
    'dsmip_entities 3',
    'dsmip_ready 1',
  ]) {
    assert.ok(`\n${metrics}`.includes(`\n${line}\n`), line);
  }
  const { body: document } = await ask(app, '/openapi.json');
  assert.is(document.info.version, '1.2.3');
  for (const [path, methods] of Object.entries<object>(document.paths)) {
    for (const method of Object.keys(methods)) {
      const { status } = await ask(app, path.replace('{id}', 'x'), { method: method.toUpperCase() });
      assert.is.not(status, 405, `${method} ${path}`);
    }
    const other = await ask(app, path.replace('{id}', 'x'), { method: 'PATCH' });
    assert.is(other.status, 405);
    assert.is(other.headers.get('allow')!.toLowerCase(), Object.keys(methods).join(', '));
  }
  const schema = document.paths['/link'].post.requestBody.content['application/json'].schema.anyOf[0];
  assert.equal(schema.required, ['word', 'sentence']);
  const entity = document.paths['/entities/{id}'].put.requestBody.content['application/json'].schema;
  assert.equal(entity.properties.attributes.anyOf[1], {
    type: 'object',
    additionalProperties: { type: 'string' },
  });
  assert.equal((await ask(app, '/')).headers.get('location'), 'docs');
  const page = await ask(app, '/docs');
  assert.match(page.body, /<code>PUT \/entities\/\{id\}<\/code>/);
  assert.not.match(page.body, /<script|https?:\/\/(?!127\.0\.0\.1)/);
  assert.match(page.headers.get('content-security-policy')!, /default-src 'none'/);
});

test('what is wrong is one line that names the field, with the status for it', async () => {
  const { app, linked } = await made({ limits: { imageBytes: 2000, pixels: 700, bodyBytes: 10_000 } });
  const of = (path: string, init: RequestInit) => ask(app, path, { method: 'POST', ...init });
  const big = 'x'.repeat(20_000);
  for (const [answer, status, message] of [
    [post(app, { word: 'x' }), 422, /^request: sentence: expected a text that is not empty/],
    [post(app, { mentions: [mention, { word: 1, sentence: 'x' }] }), 422, /^request: mentions\[1\]\.word: /],
    [
      post(app, { ...mention, top: 0 }),
      422,
      /^request: top: expected a whole number from 1 to 1000, found 0/,
    ],
    [post(app, { ...mention, image: '/etc/passwd' }), 422, /^request: image: expected base64 or a data URL/],
    [post(app, { ...mention, image: 'http://127.0.0.1/a' }), 422, /^request: image: expected base64/],
    [post(app, { ...mention, image: 'AAAA' }), 422, /image: expected an image, found neither JPEG/],
    [post(app, [mention]), 422, /^request: expected an object, found an array/],
    [of('/link', { headers: json, body: '{' }), 400, /^the body is not JSON/],
    [of('/link', { headers: json }), 400, /^the body is not JSON/],
    [of('/link', { headers: { 'content-type': 'text/plain' }, body: '{}' }), 415, /^expected application/],
    [of('/link', { headers: json, body: big }), 413, /^the body: expected at most 10000 bytes/],
    [post(app, { ...mention, image: Buffer.alloc(2500).toString('base64') }), 413, /image: 2500 bytes/],
    [
      post(app, { mentions: Array(3).fill({ ...mention, image: base64 }) }),
      413,
      /^mentions\[2\]\.image: 768 pixels in the request, expected at most 700/,
    ],
    [ask(app, '/entities'), 422, /^request: name: expected a text/],
    [ask(app, '/entities/%00'), 422, /^request: id: expected an id/],
    [put(app, '/entities/x', { name: 'x', aliases: [''] }), 422, /^request: aliases\[0\]: expected/],
    [of('/nothing', {}), 404, /no such page/],
  ] as const) {
    const { status: found, body } = await answer;
    assert.is(found, status, JSON.stringify(body));
    assert.match(body.error, message);
  }
  const stream = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(4000)),
  });
  const endless = await of('/link', { headers: json, body: stream, duplex: 'half' } as RequestInit);
  assert.is(endless.status, 413);
  assert.equal(linked, []);
});

test('an error of ours tells nothing of itself', async () => {
  const { app } = await made();
  for (const word of ['bug', 'disk']) {
    const { status, body } = await post(app, { ...mention, word });
    assert.is(status, 500);
    assert.equal(body, { error: 'an error of the server; its log says more' });
  }
});

test('with a token, only health and readiness are open', async () => {
  const token = 'a-long-token-of-many-letters';
  const { app } = await made({ token });
  const paths = ['/metrics', '/openapi.json', '/docs', '/entities?name=x', '/entities/x', '/nothing'];
  for (const path of paths) {
    for (const authorization of [null, 'Bearer', 'Bearer wrong', `Bearer ${token}x`, `Basic ${token}`]) {
      const { status, headers } = await ask(
        app,
        path,
        authorization === null ? {} : { headers: { authorization } },
      );
      assert.ok(status === 401 || status === 400, `${path} ${authorization} ${status}`);
      assert.match(headers.get('www-authenticate')!, /^Bearer/);
    }
    const right = await ask(app, path, { headers: { authorization: `Bearer ${token}` } });
    assert.ok([200, 404].includes(right.status), path);
  }
  assert.is((await put(app, '/entities/x', { name: 'x' })).status, 401);
  for (const path of ['/health', '/ready']) assert.is((await ask(app, path)).status, 200);
});

test('a page elsewhere whose name leads here is refused', async () => {
  const { app } = await made({ hosts: ['localhost', '127.0.0.1', '[::1]'] });
  for (const [host, status] of [
    ['localhost:8080', 200],
    ['127.0.0.1', 200],
    ['[::1]:8080', 200],
    ['evil.example', 403],
  ] as const) {
    assert.is((await app.fetch(new Request(`http://${host}/health`))).status, status, host);
  }
});

test('beyond what may wait it is 429 with Retry-After, until something is answered', async () => {
  const { app, release } = await made({ limits: { queue: 4 }, isHeld: true });
  const first = post(app, { mentions: [mention, mention, mention] });
  await new Promise((resolve) => setTimeout(resolve, 5));
  const refused = await post(app, { mentions: [mention, mention] });
  assert.is(refused.status, 429);
  assert.is(refused.headers.get('retry-after'), '1');
  const second = post(app, mention);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.is((await post(app, mention)).status, 429);
  assert.match((await ask(app, '/metrics')).body, /\ndsmip_mentions_in_hand 4\n/);
  release();
  assert.equal([(await first).status, (await second).status], [200, 200]);
  assert.is((await post(app, mention)).status, 200);
  assert.match((await ask(app, '/metrics')).body, /\ndsmip_mentions_in_hand 0\n/);
});

test('a request that takes too long is 504, one whose body does not come 408, and their places are free', async () => {
  const { app } = await made({ limits: { queue: 1, deadlineMs: 50 }, isHeld: true });
  for (let time = 0; time < 2; time++) assert.is((await post(app, mention)).status, 504);
  const body = new ReadableStream({});
  const headers = { ...json, 'content-length': '50' };
  const late = await ask(app, '/link', { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
  assert.is(late.status, 408);
});

test('at the end what is in hand is answered, and nothing else is taken in', async () => {
  const { app, release } = await made({ isHeld: true });
  const waiting = post(app, mention);
  await new Promise((resolve) => setTimeout(resolve, 5));
  let isIdle = false;
  const stopped = app.stop().then(() => {
    isIdle = true;
  });
  const late = await post(app, mention);
  assert.equal([late.status, late.headers.get('connection')], [503, 'close']);
  assert.is((await ask(app, '/ready')).status, 503);
  assert.is((await ask(app, '/health')).status, 200);
  assert.not.ok(isIdle);
  release();
  assert.is((await waiting).status, 200);
  await stopped;
});

test('five hundred wrong requests are refused with 4xx, and the server goes on', async () => {
  const { app } = await made();
  await fc.assert(
    fc.asyncProperty(wrongRequest, async ({ method, path, type, body, isWrong }) => {
      const headers = type === null ? {} : { 'content-type': type };
      const { status } = await ask(app, path, { method, headers, body });
      assert.ok(status < 500, `${status}`);
      if (isWrong) assert.ok(status >= 400, `${status}`);
    }),
    { numRuns: 500, seed: 12 },
  );
  assert.is((await post(app, mention)).status, 200);
});

test.run();

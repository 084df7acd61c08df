// Ranges over HTTP: the right bytes in few requests, from servers that drop connections too, and one line for each way
// in which a server can be wrong.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WeightsError } from '../../../files/errors.ts';
import { openUrl } from '../../../files/http/http-source.ts';
import { locate, readSmallText } from '../../../files/locate.ts';
import { generator } from '../../support/random.ts';
import { type Faults, startFakeHub } from '../../weights/fake-hub.ts';

const hub = await startFakeHub();
test.before.each(() => {
  hub.faults = {};
  hub.requests.length = 0;
});
test.after(() => hub.close());

const random = generator(5);
const size = 600_000;
const bytes = Uint8Array.from({ length: size }, () => random() * 256);
hub.files.set('/file', bytes);
hub.files.set('/empty', new Uint8Array(0));
const url = `${hub.url}/file`;
const quick = { pauseMs: 1, stallMs: 20_000 };

/** The error of opening and reading bytes 300,000 .. 300,099. */
async function refusal(faults: Faults, later: Faults = faults): Promise<string> {
  hub.faults = faults;
  try {
    const source = await openUrl(url, quick);
    hub.faults = later;
    await source.read(300_000, 100);
  } catch (error) {
    assert.instance(error, WeightsError);
    assert.ok((error as Error).message.startsWith(`${url}: `), (error as Error).message);
    return (error as Error).message.slice(url.length + 2);
  }
  return assert.unreachable('expected an error') as never;
}

test('any range is read; small reads near each other share a request', async () => {
  const source = await openUrl(url, { aheadBytes: 50_000 });
  assert.is(source.size, size);
  for (const [offset, length] of [
    [0, 8],
    [100, 60_000],
    [300_000, 10],
    [300_500, 49_000],
    [size - 3, 3],
    [0, size],
    [17, 0],
  ] as const) {
    assert.equal(await source.read(offset, length), bytes.slice(offset, offset + length), `${offset}`);
  }
  await source.close();
  assert.equal(hub.requests, [
    'GET /file bytes=0-131071',
    'GET /file bytes=100-60099',
    'GET /file bytes=300000-349999',
    'GET /file bytes=599997-599999',
    'GET /file bytes=0-599999',
  ]);
});

test('of scattered reads each fetches little, but a small file is fetched whole, once', async () => {
  const places = [500_000, 300_000, 500_010, 200_000] as const;
  const readAll = async (aheadBytes: number) => {
    hub.requests.length = 0;
    const source = await openUrl(url, { aheadBytes, scattered: true });
    const found = await Promise.all(places.map((offset) => source.read(offset, 10)));
    found.push(await source.read(400_000, 70_000), await source.read(200_005, 5));
    const expected = places.map((offset) => bytes.slice(offset, offset + 10));
    assert.equal(found, [...expected, bytes.slice(400_000, 470_000), bytes.slice(200_005, 200_010)]);
    return hub.requests.map((request) => request.replace('GET /file bytes=', ''));
  };
  const [first, ...pieces] = await readAll(size - 1);
  assert.is(first, '0-131071');
  assert.equal(
    pieces.toSorted(),
    ['200000-265535', '300000-365535', '400000-469999', '500000-565535', '500010-565545'].toSorted(),
  );
  assert.equal(await readAll(size), ['0-131071', '0-599999']);
});

test('an empty file has no bytes', async () => {
  assert.is((await openUrl(`${hub.url}/empty`)).size, 0);
});

test('a dropped or stalled connection is gone on with where it ended', async () => {
  const drops = generator(11);
  for (const fault of ['dropAfter', 'stallAfter'] as const) {
    const stallMs = fault === 'stallAfter' ? 1000 : quick.stallMs;
    const source = await openUrl(url, { ...quick, stallMs, aheadBytes: 1000 });
    let failures = 2;
    hub.faults = { [fault]: () => (failures-- > 0 ? Math.floor(drops() * 100_000) : null) };
    assert.equal(await source.read(1000, 500_000), bytes.slice(1000, 501_000), fault);
    assert.ok(failures < 0, 'all failures were met');
    const firsts = hub.requests.map((line) => Number(/bytes=(\d+)-500999$/.exec(line)?.[1] ?? -1));
    assert.equal(
      firsts,
      [...firsts].sort((a, b) => a - b),
      'what has come is not asked for again',
    );
    assert.ok(firsts.at(-1)! > 1000, 'the last request is for a part');
    hub.requests.length = 0;
  }
});

test('a busy server is asked again', async () => {
  let busy = 2;
  hub.faults = { status: () => (busy-- > 0 ? 503 : null) };
  assert.is((await openUrl(url, quick)).size, size);
});

test('tries end', async () => {
  assert.match(
    await refusal({}, { dropAfter: () => 0 }),
    /^the connection (ended after 0 of \d+ bytes|broke off)/,
  );
  assert.is(hub.requests.length, 1 + 6);
  assert.is(await refusal({ status: () => 500 }), 'the server answered with status 500');
});

test('each way to be wrong has its line', async () => {
  const changed = (headers: Record<string, string>) => ({
    headers: (_: string, found: Record<string, string>) => void Object.assign(found, headers),
  });
  assert.is(await refusal({ status: () => 404 }), 'no such file (status 404)');
  assert.is(await refusal({ status: () => 403 }), 'the server answered with status 403');
  assert.match(await refusal({ ignoresRanges: true }), /^the server does not serve ranges of files/);
  assert.match(await refusal(changed({ 'content-range': 'bytes 0-131071/*' })), /^bad Content-Range 'bytes/);
  assert.match(await refusal(changed({ 'content-range': 'bytes 5-4/600000' })), /^bad Content-Range/);
  assert.match(
    await refusal(changed({ 'content-range': 'bytes 0-131071/99999999999999999999' })),
    /^bad Con/,
  );
  assert.match(
    await refusal(changed({ 'content-range': 'bytes 1-131072/600000' })),
    /the server sends 1-131072/,
  );
  assert.is(
    await refusal({}, changed({ etag: '"another"' })),
    'the file changed on the server while it was being read',
  );
  assert.is(
    await refusal({}, changed({ 'content-range': 'bytes 300000-599999/600001' })),
    'the file changed on the server while it was being read',
  );
  assert.match(
    await refusal({}, changed({ 'content-range': 'bytes 300001-599999/600000' })),
    /^asked for bytes=300000-599999, the server sends 300001-599999$/,
  );
});

test('a server that claims more than any memory holds is refused when that is asked for', async () => {
  const claimed = 2 ** 49;
  hub.faults = {
    headers: (_, headers) => {
      headers['content-range'] = `bytes 0-131071/${claimed}`;
    },
  };
  const source = await openUrl(url, quick);
  const refused = await source.read(0, claimed).catch((error) => error);
  assert.instance(refused, WeightsError);
  assert.match(refused.message, /562949953421312 bytes at once do not fit into memory/);
});

test('a server that is not there is refused in one line', async () => {
  const gone = await startFakeHub();
  await gone.close();
  const refused = await openUrl(gone.url, { pauseMs: 1 }).catch((error) => error);
  assert.instance(refused, WeightsError);
  assert.match(refused.message, /cannot be reached \(.+\)$/);
});

test('addresses of files keep query and escape names; texts are short and UTF-8', async () => {
  assert.is(locate('https://h/a/?k=1', 'x y.json'), 'https://h/a/x%20y.json?k=1');
  assert.is(locate('http://h', 'c'), 'http://h/c');
  assert.is(locate('weights/tiny', 'c'), 'weights/tiny/c');
  assert.is(locate('', 'c'), 'c');
  hub.files.set('/text', new TextEncoder().encode('grüße'));
  assert.is(await readSmallText(`${hub.url}/text`, 100), 'grüße');
  for (const [most, path, message] of [
    [3, '/text', /longer than 3 bytes/],
    [size, '/file', /line \d+: expected UTF-8 text, found others at byte \d+$/],
    [9, '/none', /no such file/],
  ] as const) {
    const refused = await readSmallText(hub.url + path, most).catch((error) => error);
    assert.instance(refused, WeightsError);
    assert.match(refused.message, message);
  }
});

test.run();

// Images in every form, and what is no image: refused in one line, in bounded time and memory.

import { spawnSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { zlibSync } from 'fflate';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeImage } from '../../../data/images/image.ts';
import type { ImageInput } from '../../../data/images/image-input.ts';
import { loadPixels } from '../../../data/images/image-loader.ts';
import { PixelSource } from '../../../data/images/pixel-source.ts';
import { albefPreprocessing, clipPreprocessing } from '../../../data/images/preprocess.ts';
import { decodeInput, readPixels } from '../../../data/images/read-pixels.ts';
import { contentStamp } from '../../../files/content-stamp.ts';
import { crc32 } from '../../../files/crc32.ts';

const how = clipPreprocessing(16);
const images = fileURLToPath(new URL('../../../data/openconcepts/kb_image', import.meta.url));
const good = join(images, readdirSync(images)[0]!);
const folder = mkdtempSync(join(tmpdir(), 'dsmip-input-'));
test.after(() => rmSync(folder, { recursive: true }));

const pixelsOf = async (image: ImageInput) => {
  const found = await decodeInput(image, how);
  assert.ok('pixels' in found, 'problem' in found ? found.problem : '');
  return found.pixels;
};
const problemOf = async (image: ImageInput) => {
  const found = await decodeInput(image, how);
  return 'problem' in found ? found.problem : 'no problem';
};

test('a path, bytes, a Blob and URLs of five kinds give the same pixels', async () => {
  const bytes = readFileSync(good);
  const server = createServer((_, answer) => answer.end(bytes)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const blob = new Blob([bytes]);
  const forms: ImageInput[] = [
    good,
    new Uint8Array(bytes),
    blob,
    pathToFileURL(good),
    new URL(`data:image/jpeg;base64,${bytes.toString('base64')}`),
    new URL(URL.createObjectURL(blob)),
    new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/a.jpg`),
  ];
  try {
    const expected = await pixelsOf(good);
    assert.ok(expected.some((value) => value !== 0));
    for (const form of forms) assert.equal(await pixelsOf(form), expected);
    // Through threads too, but for blob:, whose store is this thread's own.
    const sent = [...forms.slice(0, 5), forms[6]!];
    for await (const { pixels, failed } of loadPixels(sent, how, { chunk: 1, workers: 2 })) {
      assert.equal(failed, []);
      assert.equal(pixels, expected);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
  assert.ok((await pixelsOf(null)).every((value) => value === 0));
});

test('what is no regular file is refused at once', async () => {
  assert.is(await problemOf(folder), `${folder}: not a file`);
  assert.is(await problemOf(join(folder, 'none.jpg')), `${join(folder, 'none.jpg')}: no such file`);
  assert.match(
    await problemOf(new URL('ftp://x/a.jpg')),
    /^ftp:\/\/x\/a\.jpg: expected http:, .*, found ftp:$/,
  );
  if (process.platform === 'win32') return;
  assert.is(await problemOf('/dev/zero'), '/dev/zero: not a file');
  const pipe = join(folder, 'pipe.jpg');
  spawnSync('mkfifo', [pipe]);
  assert.is(await problemOf(pipe), `${pipe}: not a file`);
});

test('files and answers of more than 64 MiB are refused', async () => {
  const huge = join(folder, 'huge.jpg');
  writeFileSync(huge, '');
  truncateSync(huge, 2 ** 36);
  assert.is(await problemOf(huge), `${huge}: larger than 64 MiB, which no image should be`);
  assert.match(await problemOf(new Uint8Array(2 ** 26 + 1)), /^image of 67108865 bytes: larger than/);
});

/** A chunk of a PNG. */
function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + body.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(body, 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return bytes;
}

function png(width: number, height: number, ...chunks: Uint8Array[]): Uint8Array {
  const header = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return Buffer.concat([signature, chunk('IHDR', header), ...chunks, chunk('IEND', new Uint8Array(0))]);
}

const zeros = (bytes: number) => zlibSync(new Uint8Array(bytes), { level: 9 });

test('headers of too many pixels, bombs and lines are refused before memory is taken', async () => {
  const before = process.memoryUsage.rss();
  const bomb = zeros(2 ** 28);
  const jpeg = Uint8Array.of(
    0xff,
    0xd8,
    0xff,
    0xc0,
    0,
    11,
    8,
    0x36,
    0xb0,
    0x36,
    0xb0,
    1,
    1,
    0x11,
    0,
    0xff,
    0xd9,
  );
  const webp = new Uint8Array(40);
  webp.set(new TextEncoder().encode('RIFF....WEBPVP8X'));
  webp.fill(0xff, 24, 30);
  const cases: [Uint8Array, RegExp][] = [
    [jpeg, /14000 x 14000 pixels, expected at most 50 million$/],
    [png(14_000, 14_000, chunk('IDAT', zeros(10))), /14000 x 14000 pixels/],
    [webp, /16777216 x 16777216 pixels/],
    [png(0, 3, chunk('IDAT', zeros(10))), /0 x 3 pixels$/],
    [png(1, 2 ** 20, chunk('IDAT', zeros(2 ** 21))), /1 x 1048576 pixels are too narrow$/],
    [png(4, 4, chunk('IDAT', zeros(10))), /PNG: too few data for its size$/],
  ];
  for (const [bytes, message] of cases) assert.match(await problemOf(bytes), message);
  // Their pixels are decoded; what they unpack to besides is not.
  const profile = Buffer.concat([new TextEncoder().encode('icc\0\0'), bomb]);
  await pixelsOf(png(4, 4, chunk('IDAT', bomb)));
  await pixelsOf(png(4, 4, chunk('iCCP', profile), chunk('IDAT', zeros(20))));
  const grown = process.memoryUsage.rss() - before;
  // The bomb itself was made here from 256 MiB.
  assert.ok(grown < 2 ** 29, `${grown} bytes`);
});

test('a PNG is checked chunk by chunk', async () => {
  const whole = png(2, 2, chunk('IDAT', zlibSync(Uint8Array.of(0, 1, 2, 0, 3, 4))));
  assert.equal((await decodeImage(whole)).data, Uint8Array.of(1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4));
  const flipped = whole.slice();
  flipped[whole.length - 20]! ^= 1;
  assert.match(await problemOf(flipped), /^image of \d+ bytes: PNG: wrong checksum of a chunk IDAT$/);
});

test('a problem is one line with the name, whatever the bytes', async () => {
  const named = new File(['no image'], 'a\n\u001b[31mb.jpg');
  assert.is(await problemOf(named), 'a [31mb.jpg: neither JPEG nor PNG nor WebP');
  const bytes = new Uint8Array(readFileSync(good));
  for (let i = 0; i < 200; i++) {
    const damaged = bytes.slice(0, (i * 7919) % bytes.length);
    damaged[(i * 104_729) % damaged.length]! ^= 1 << (i % 8);
    const found = await decodeInput(damaged, how);
    if ('problem' in found) assert.not.match(found.problem, /\p{Cc}/u);
  }
});

test('what failed is told and is tried again: its zeros are never kept', async () => {
  const file = join(folder, 'later.jpg');
  const source = new PixelSource([null, file, good], how);
  const read = async () => {
    for await (const pixels of source.groups([[1, 2]])) return pixels.slice();
    return new Float32Array(0);
  };
  const first = await read();
  const size = 3 * 16 * 16;
  assert.ok(first.subarray(0, size).every((value) => value === 0));
  assert.equal([...source.failed], [1]);
  assert.equal(source.takeProblems('kb'), [
    `kb: 1 image file missing, zeros in its place (${file}: no such file)`,
  ]);
  writeFileSync(file, readFileSync(good));
  const second = await read();
  assert.equal(second.subarray(0, size), second.subarray(size));
  assert.equal([...source.failed], []);
});

test('the same images seen in another way are always the same source, and failures are told once', async () => {
  const squashed = albefPreprocessing(8);
  const source = new PixelSource([null, good, join(folder, 'never.jpg')], how);
  const other = source.seenAs(squashed);
  assert.is(source.seenAs(albefPreprocessing(8)), other);
  assert.is.not(source.seenAs(albefPreprocessing(9)), other);
  assert.is(other.size, 8);
  const { value } = await other.groups([[1, 2]]).next();
  const expected = await readPixels([good], squashed);
  assert.equal(value!.subarray(0, 3 * 64), expected.pixels);
  assert.is(source.takeProblems('kb').length, 1);
  assert.equal(other.takeProblems('kb'), []);
});

test('each failure names its image', async () => {
  const { failed, problems } = await readPixels([good, join(folder, 'no.jpg'), null, folder], how);
  assert.equal(problems, { absent: 1, missing: 1, unreadable: 1 });
  assert.equal(failed, [
    { index: 1, problem: `${join(folder, 'no.jpg')}: no such file`, isMissing: true },
    { index: 3, problem: `${folder}: not a file`, isMissing: false },
  ]);
});

test('a content stamp is of the bytes, and follows them though size and time stay', async () => {
  const file = join(folder, 'stamp');
  writeFileSync(file, 'one');
  const time = new Date('2020-01-01');
  utimesSync(file, time, time);
  const first = await contentStamp(file);
  assert.is(first, '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed');
  assert.is(await contentStamp(file), first);
  writeFileSync(file, 'two');
  utimesSync(file, time, time);
  assert.is.not(await contentStamp(file), first);
});

test.run();

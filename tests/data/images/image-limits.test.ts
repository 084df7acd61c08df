// What an image may ask of its decoder: planes and scans of a JPEG, bytes and chunks of a PNG; and whatever the bytes are, a
// problem is one line and memory stays small.

import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { zlibSync } from 'fflate';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkJpeg } from '../../../data/images/image-size.ts';
import { clipPreprocessing } from '../../../data/images/preprocess.ts';
import { decodeInput } from '../../../data/images/read-pixels.ts';
import { crc32 } from '../../../files/crc32.ts';

const how = clipPreprocessing(16);
const { cases } = JSON.parse(
  readFileSync(new URL('./preprocess-cases/decode.json', import.meta.url), 'utf8'),
) as { cases: { file: string }[] };

async function problemOf(bytes: Uint8Array): Promise<string> {
  const found = await decodeInput(bytes, how);
  return 'problem' in found ? found.problem.replace(/^image of \d+ bytes: /, '') : '';
}

/** A JPEG's header of planes with these sampling factors, and scans without data. */
function jpeg(width: number, height: number, factors: readonly number[], scans = 1): Uint8Array {
  const planes = factors.flatMap((factor, i) => [i + 1, factor, 0]);
  const [high, low] = [(value: number) => value >> 8, (value: number) => value & 255];
  const frame = [8, high(height), low(height), high(width), low(width), factors.length, ...planes];
  const scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0xff, 0x00, 0xff, 0xd0, 0x34];
  return Uint8Array.from([
    ...[0xff, 0xd8, 0xff, 0xc2, 0, 2 + frame.length, ...frame],
    ...Array.from({ length: scans }, () => scan).flat(),
    ...[0xff, 0xd9],
  ]);
}

test('a JPEG is bounded by the samples of all its planes and by its scans', async () => {
  // A picture of 50 million pixels whose colour has a quarter of them.
  checkJpeg(jpeg(7000, 7000, [0x22, 0x11, 0x11]));
  assert.throws(
    () => checkJpeg(jpeg(7000, 7000, [0x11, 0x11, 0x11, 0x11])),
    'JPEG: 7000 x 7000 pixels in 196000000 samples, expected at most 75 million',
  );
  checkJpeg(jpeg(100, 100, [0x11], 100));
  assert.throws(() => checkJpeg(jpeg(100, 100, [0x11], 101)), 'in 101 scans, expected at most 100');
  // A second frame counts, and so does one behind a scan.
  const twice = Buffer.concat([
    jpeg(5000, 4000, [0x11]).subarray(0, -2),
    jpeg(7000, 7000, [0x11, 0x11]).subarray(2),
  ]);
  assert.throws(() => checkJpeg(twice), 'samples');
  assert.match(await problemOf(jpeg(7000, 7000, [0x11, 0x11, 0x11, 0x11])), /samples/);
});

function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(12 + body.length);
  bytes.writeUInt32BE(body.length);
  bytes.write(type, 4, 'latin1');
  bytes.set(body, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + body.length)), 8 + body.length);
  return bytes;
}

/** A PNG of this size and bits a sample, RGBA. */
function png(side: number, depth: number, ...chunks: Uint8Array[]): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side);
  header.writeUInt32BE(side, 4);
  header.set([depth, 6], 8);
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return Buffer.concat([signature, chunk('IHDR', header), ...chunks, chunk('IEND', new Uint8Array(0))]);
}

test('a PNG is bounded by its unpacked bytes, and its chunks are not gathered', async () => {
  assert.is(
    await problemOf(png(7071, 16, chunk('IDAT', new Uint8Array(9)))),
    'PNG: 399999399 bytes of pixels, expected at most 210 million',
  );
  const pixels = zlibSync(new Uint8Array(4 * 17));
  const empty = chunk('IDAT', new Uint8Array(0));
  const many = png(4, 8, chunk('IDAT', pixels), Buffer.concat(Array.from({ length: 200_000 }, () => empty)));
  const before = process.memoryUsage.rss();
  assert.is(await problemOf(many), '');
  assert.ok(process.memoryUsage.rss() - before < 2 ** 27);
});

test('whatever the bytes, a problem is one line and little memory is taken', async () => {
  const good = cases.map(({ file }) => new Uint8Array(Buffer.from(file, 'base64')));
  const before = process.memoryUsage.rss();
  const damage = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...good), damage, fc.nat(3000), async (whole, changes, length) => {
      const bytes = whole.slice(0, changes.length % 2 === 0 ? whole.length : length);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      const problem = await problemOf(bytes);
      assert.not.match(problem, /\p{Cc}/u);
    }),
    { numRuns: 150 },
  );
  assert.ok(process.memoryUsage.rss() - before < 2 ** 30);
});

test.run();

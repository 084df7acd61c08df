// Checksums of what we write: any bit that flips is noticed when it is read, with file and tensor, and files of others
// that have none load as before.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bytesInMemory } from '../../files/byte-source.ts';
import { crc32, crc32ByTables } from '../../files/crc32.ts';
import { WeightsError } from '../../files/errors.ts';
import { openSafetensors, readSafetensors } from '../../weights/safetensors.ts';
import { writeSafetensors } from '../../weights/write-safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-sums-'));
test.after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'a.safetensors');

/** Writes tensors and gives the file's bytes. */
async function written(...args: [Parameters<typeof writeSafetensors>[1], Record<string, string>?]) {
  await writeSafetensors(path, ...args);
  return new Uint8Array(readFileSync(path));
}

const small = {
  '3': { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
  bits: { dtype: 'U8', shape: [5], data: Uint8Array.of(1, 2, 3, 4, 5) },
  empty: { dtype: 'I64', shape: [0], data: new BigInt64Array(0) },
} as const;

/** All that a file holds, or the error. */
async function contents(bytes: Uint8Array<ArrayBuffer>): Promise<unknown> {
  try {
    const file = await readSafetensors(bytesInMemory('f', bytes));
    const tensors: unknown[] = [];
    for (const name of file.names) {
      tensors.push([name, file.info(name).shape, String(await file.read(name))]);
    }
    return JSON.stringify([file.metadata, tensors]);
  } catch (error) {
    return error;
  }
}

test('every flipped bit of a file is an error', async () => {
  const bytes = await written(small, { note: 'ä' });
  const expected = await contents(bytes);
  assert.is(
    expected,
    JSON.stringify([
      { note: 'ä' },
      [
        ['empty', [0], ''],
        ['3', [2, 3], '1,2,3,4,5,6'],
        ['bits', [5], '1,2,3,4,5'],
      ],
    ]),
  );
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const at = bit >> 3;
    const damaged = bytes.slice();
    damaged[at]! ^= 1 << (bit & 7);
    assert.instance(await contents(damaged), WeightsError, `byte ${at}`);
  }
});

const blocks = 2 ** 16;
const data = Float32Array.from({ length: (5 * blocks) / 4 + 7 }, (_, i) => i);

test('parts are checked by block, each when it is first read', async () => {
  const bytes = await written({ w: { dtype: 'F32', shape: [data.length], data } });
  const start = bytes.length - data.byteLength;
  bytes[start + 3 * blocks + 17]! ^= 4;
  const file = await readSafetensors(bytesInMemory('f', bytes));
  const read = async (first: number, count: number) => (await file.read('w', first, count)) as Float32Array;
  const at = (3 * blocks) / 4;
  for (let i = 0; i < 2; i++) {
    assert.equal(await read(0, at), data.slice(0, at));
    assert.equal(await read(at - 5, 5), data.slice(at - 5, at));
    assert.equal(await read(at + blocks / 4, 9), data.slice(at + blocks / 4, at + blocks / 4 + 9));
    assert.equal(await read(data.length - 3, 3), data.slice(-3));
    assert.equal(await read(3, 0), new Float32Array(0));
    const own = await read(7, 1);
    assert.is(own.buffer.byteLength, 4, 'a buffer of its own');
  }
  for (const body of [() => read(at + 100, 1), () => file.verify('w'), () => file.readFloats('w')]) {
    const error = await body().then(
      () => null,
      (thrown: Error) => thrown,
    );
    assert.instance(error, WeightsError);
    assert.is(
      error!.message,
      "f: tensor 'w': damaged: its bytes from 196608 on are not what their checksum says",
    );
  }
});

test('the same tensors are the same bytes, in one piece or in parts', async () => {
  const parts = async function* () {
    for (let i = 0; i < data.length; i += 10_007) yield data.slice(i, i + 10_007);
  };
  const inParts = await written({ w: { dtype: 'F32', shape: [data.length], data: parts } });
  const whole = await written({ w: { dtype: 'F32', shape: [data.length], data } });
  assert.equal(inParts, whole);
});

test('files without checksums load, and what a stranger says of checksums is a note', async () => {
  const json =
    '{"__metadata__":{"checksum.w":"md5 of it"},"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}';
  const header = new TextEncoder().encode(json);
  const bytes = new Uint8Array(8 + header.length + 2);
  new DataView(bytes.buffer).setUint32(0, header.length, true);
  bytes.set(header, 8);
  const file = await readSafetensors(bytesInMemory('f', bytes));
  assert.equal(await file.read('w'), new Uint8Array(2));
  assert.equal(file.metadata, { 'checksum.w': 'md5 of it' });
  await file.verify('w');
});

test('the CRC-32 by tables is the system’s', () => {
  const bytes = Uint8Array.from({ length: 1003 }, (_, i) => (i * i) >> 3);
  assert.is(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
  for (const length of [0, 1, 7, 8, 9, 1003]) {
    const part = bytes.subarray(0, length);
    assert.is(crc32ByTables(part), crc32(part));
    assert.is(crc32ByTables(bytes, crc32ByTables(part)), crc32(bytes, crc32(part)));
  }
});

test("parts are read into a caller's memory, checked or not, and into their own where it is too small", async () => {
  const data = Float32Array.from({ length: 100_000 }, (_, i) => i);
  await written({ large: { dtype: 'F32', shape: [data.length], data } });
  const file = await openSafetensors(path);
  const memory = new Uint8Array(file.neededBytes('large', 20_000));
  for (const [first, count, given] of [
    [15_000, 20_000, memory],
    [15_000, 20_000, memory],
    [99_999, 1, memory],
    [40_000, 60_000, memory],
  ] as const) {
    const part = await file.readInto('large', first, count, given);
    assert.equal([...(part as Float32Array)], [...data.subarray(first, first + count)]);
    assert.is(part.buffer === memory.buffer, count <= 20_000);
  }
  await file.close();
  const bytes = new Uint8Array(readFileSync(path));
  bytes[bytes.length - 1]! ^= 1;
  const damaged = await readSafetensors(bytesInMemory('f', bytes));
  const failure = await damaged.readInto('large', 99_000, 1000, memory).catch((error: Error) => error);
  assert.match(String(failure), /f: tensor 'large': damaged/);
});

test.run();

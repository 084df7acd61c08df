// Reading and writing safetensors: every dtype, parts, and one line for every kind of damage.

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ByteSource, bytesInMemory } from '../../files/byte-source.ts';
import { WeightsError } from '../../files/errors.ts';
import { openSafetensors, readSafetensors, type StoredArray } from '../../weights/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../../weights/write-safetensors.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'safetensors-'));
test.after(() => fs.rmSync(folder, { recursive: true }));

/** A file of this header and so many bytes of data, under the name `f`. */
function file(header: string | object, dataBytes = 0, headerBytes?: number | bigint): ByteSource {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes ?? json.length), true);
  bytes.set(json, 8);
  return bytesInMemory('f', bytes);
}

async function refusal(source: ByteSource): Promise<string> {
  try {
    await readSafetensors(source);
  } catch (error) {
    assert.instance(error, WeightsError);
    const { message } = error as Error;
    assert.ok(message.startsWith('f: '), `names the file: ${message}`);
    assert.not.ok(message.includes('\n'), 'one line');
    assert.ok(message.length < 400, 'short');
    return message;
  }
  assert.unreachable('the file was accepted');
  return '';
}

const f32 = (shape: unknown, first: number, end: number) => ({
  dtype: 'F32',
  shape,
  data_offsets: [first, end],
});

test('what is written is read back, every dtype, with shapes and metadata', async () => {
  const tensors: Record<string, TensorToWrite> = {
    scalar: { dtype: 'F32', shape: [], data: Float32Array.of(-0.5) },
    'a.weight': { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, Number.NaN) },
    empty: { dtype: 'F32', shape: [0, 3], data: new Float32Array(0) },
    double: { dtype: 'F64', shape: [1], data: Float64Array.of(Math.PI) },
    half: { dtype: 'F16', shape: [3], data: Uint16Array.of(0x3c00, 0xc000, 1) },
    brain: { dtype: 'BF16', shape: [1], data: Uint16Array.of(0x3f80) },
    ids: { dtype: 'I64', shape: [2], data: BigInt64Array.of(-1n, 2n ** 31n - 1n) },
    int: { dtype: 'I32', shape: [2], data: Int32Array.of(-7, 9) },
    short: { dtype: 'I16', shape: [1], data: Int16Array.of(-3) },
    byte: { dtype: 'I8', shape: [1], data: Int8Array.of(-4) },
    unsigned: { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 255) },
    flags: { dtype: 'BOOL', shape: [2], data: async () => Uint8Array.of(0, 1) },
    ['__proto__']: { dtype: 'U32', shape: [1], data: Uint32Array.of(2 ** 32 - 1) },
  };
  const written = path.join(folder, 'all.safetensors');
  await writeSafetensors(written, tensors, { format: 'pt', note: 'ä "quoted"' });
  assert.equal(fs.readdirSync(folder), ['all.safetensors'], 'no temporary file is left');
  const read = await openSafetensors(written);
  assert.equal(read.metadata, { format: 'pt', note: 'ä "quoted"' });
  assert.equal([...read.names].sort(), Object.keys(tensors).sort());
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    const expected = (typeof data === 'function' ? await data() : data) as StoredArray;
    assert.is(read.info(name).dtype, dtype);
    assert.equal(read.info(name).shape, shape);
    const found = await read.read(name);
    assert.is(found.constructor, expected.constructor, name);
    assert.equal([...found].map(String), [...expected].map(String), name);
  }
  assert.equal([...(await read.readFloats('half'))], [1, -2, 2 ** -24]);
  assert.equal([...(await read.readFloats('brain'))], [1]);
  assert.equal([...(await read.readIntegers('ids'))], [-1, 2 ** 31 - 1]);
  assert.equal([...(await read.readIntegers('flags'))], [0, 1]);
  await read.close();
});

test('a tensor in parts gives the bytes of one whole; too few or too many elements are refused', async () => {
  const [whole, parts] = [path.join(folder, 'whole'), path.join(folder, 'parts')];
  const tensor = (data: TensorToWrite['data']): TensorToWrite => ({ dtype: 'F32', shape: [3], data });
  async function* some(...sizes: number[]) {
    let next = 0;
    for (const size of sizes) yield Float32Array.from({ length: size }, () => next++);
  }
  await writeSafetensors(whole, { a: tensor(Float32Array.of(0, 1, 2)) });
  await writeSafetensors(parts, { a: tensor(() => some(1, 0, 2)) });
  assert.equal(fs.readFileSync(parts), fs.readFileSync(whole));
  for (const [sizes, message] of [
    [[1, 1], /'a': F32 \[3\] takes 12 bytes, its data have 8/],
    [[2, 2], /'a': F32 \[3\] takes 12 bytes, Float32Array of 2 has 8/],
  ] as const) {
    const error = await writeSafetensors(parts, { a: tensor(() => some(...sizes)) }).catch((e: Error) => e);
    assert.instance(error, WeightsError);
    assert.match((error as Error).message, message);
    assert.equal(fs.readFileSync(parts), fs.readFileSync(whole));
  }
});

test('the same tensors give the same bytes, with data on a multiple of eight', async () => {
  const a: TensorToWrite = { dtype: 'F32', shape: [1], data: Float32Array.of(1) };
  const b: TensorToWrite = { dtype: 'U8', shape: [1], data: Uint8Array.of(2) };
  const [one, two] = [path.join(folder, 'one'), path.join(folder, 'two')];
  await writeSafetensors(one, { a, b, c: a });
  await writeSafetensors(two, { c: a, b, a });
  const bytes = fs.readFileSync(one);
  assert.ok(bytes.equals(fs.readFileSync(two)));
  assert.is(bytes.readBigUInt64LE() % 8n, 0n);
});

test('halves become float32 exactly: zeros, subnormals, the largest, infinities, NaN', async () => {
  const halves = Uint16Array.of(0, 0x8000, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x7e01);
  const source = file({ h: { dtype: 'F16', shape: [8], data_offsets: [0, 16] } }, 16);
  const bytes = await source.read(0, source.size);
  bytes.set(new Uint8Array(halves.buffer), bytes.length - 16);
  const read = await readSafetensors(bytesInMemory('f', bytes));
  const expected = [0, -0, 1023 * 2 ** -24, 2 ** -14, 65504, Infinity, -Infinity, NaN];
  for (const [i, value] of [...(await read.readFloats('h'))].entries()) {
    assert.ok(Object.is(value, expected[i]), `${value} is ${expected[i]}`);
  }
});

test('only the ranges asked for are read', async () => {
  const source = file({ a: f32([4], 0, 16), b: f32([2], 16, 24) }, 24);
  const reads: [number, number][] = [];
  const counting: ByteSource = {
    ...source,
    read: (offset, length) => {
      reads.push([offset, length]);
      return source.read(offset, length);
    },
  };
  const start = source.size - 24;
  const read = await readSafetensors(counting);
  assert.equal(reads, [
    [0, 8],
    [8, start - 8],
  ]);
  await read.read('b');
  assert.equal(reads.slice(2), [[start + 16, 8]]);
});

const headers: [what: string, source: ByteSource, message: RegExp][] = [
  ['an empty file', bytesInMemory('f', new Uint8Array(0)), /0 bytes, expected at least 8/],
  ['a header beyond the file', file('{}', 0, 100), /truncated: a header of 100 bytes in a file of 10/],
  ['a header over the limit', file('{}', 0, 100_000_001), /header of 100000001 bytes, expected at most/],
  ['a header of 2^64 - 1 bytes', file('{}', 0, 2n ** 64n - 1n), /header of 18446744073709551615 bytes/],
  ['an empty header', file(''), /not JSON/],
  ['bad JSON', file('{"a\n":'), /not JSON/],
  ['JSON nested without end', file('['.repeat(1_000_000)), /not JSON/],
  ['an array', file('[]'), /expected a JSON object/],
  ['null', file('null'), /expected a JSON object/],
  ['bytes that are no UTF-8', bytesInMemory('f', Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff)), /not JSON/],
  [
    'a name that stands twice',
    file(`{"a":${JSON.stringify(f32([1], 0, 4))},"\\u0061":${JSON.stringify(f32([1], 4, 8))}}`, 8),
    /'a' stands twice/,
  ],
  ['a field that stands twice', file('{"a":{"dtype":"F32","dtype" : "F16"}}'), /'dtype' stands twice/],
  ['metadata that is no object', file({ __metadata__: [] }), /__metadata__ must be an object/],
  ['metadata that is no string', file({ __metadata__: { a: 1 } }), /__metadata__ 'a' must be a string/],
  ['a tensor that is no object', file({ a: 3 }), /'a': expected an object/],
  [
    'an unknown dtype',
    file({ a: { dtype: 'F8_E4M3', shape: [1], data_offsets: [0, 1] } }, 1),
    /'a': unknown dtype/,
  ],
  [
    'a dtype of the prototype',
    file({ a: { dtype: 'toString', shape: [], data_offsets: [0, 0] } }),
    /unknown dtype/,
  ],
  ['no dtype', file({ a: { shape: [1], data_offsets: [0, 4] } }, 4), /unknown dtype that is missing/],
  ['a negative dimension', file({ a: f32([-1], 0, 4) }, 4), /shape \[-1\] is not a list of whole numbers/],
  ['half a dimension', file({ a: f32([1.5], 0, 6) }, 6), /whole numbers/],
  ['a shape that is no list', file({ a: f32('4', 0, 4) }, 4), /whole numbers/],
  [
    'a dimension of 2^63',
    file('{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}}', 4),
    /whole/,
  ],
  [
    'dimensions whose product overflows',
    file({ a: f32([2 ** 32, 2 ** 32], 0, 4) }, 4),
    /takes too many bytes/,
  ],
  [
    'offsets of 2^63',
    file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9223372036854775808]}}', 4),
    /whole/,
  ],
  ['one offset', file({ a: { dtype: 'F32', shape: [1], data_offsets: [0] } }, 4), /not two whole numbers/],
  ['offsets the wrong way round', file({ a: f32([1], 4, 0) }, 4), /end before they begin/],
  ['a truncated file', file({ a: f32([2], 0, 8) }, 7), /'a': ends at byte 8 of the data, but the file has 7/],
  ['more bytes than the shape takes', file({ a: f32([1], 0, 8) }, 8), /F32 of shape \[1\] takes 4 bytes/],
  ['an overlap', file({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12), /'b' overlaps/],
  ['a gap', file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), /4 bytes before tensor 'b' belong to none/],
  ['bytes at the end', file({ a: f32([1], 0, 4) }, 6), /the last 2 bytes belong to no tensor/],
  ['a huge name', file({ ['x'.repeat(100_000)]: 1 }), /tensor 'xxx.*\.\.\./],
  ['a name with line breaks', file({ 'a\nb': 1 }), /tensor 'a b'/],
];
for (const [what, source, message] of headers) {
  test(`refused in one line: ${what}`, async () => assert.match(await refusal(source), message));
}

test('brackets, colons and quotes inside names confuse nobody', async () => {
  const names = ['{"a":', '[', '\\', '\\"', 'a": {', 'dtype', ':'];
  const header = Object.fromEntries(names.map((name, i) => [name, f32([1], 4 * i, 4 * i + 4)]));
  const read = await readSafetensors(file(header, 4 * names.length));
  assert.equal(read.names, names);
});

test('a header is not read, nor memory taken, before its length was checked', async () => {
  const source = file('{}', 0, 100_000_000);
  const reads: number[] = [];
  const watched: ByteSource = {
    ...source,
    read: (offset, length) => {
      reads.push(length);
      return source.read(offset, length);
    },
  };
  await refusal(watched);
  assert.equal(reads, [8]);
});

test('missing tensors, wrong dtypes and numbers beyond int32 are named', async () => {
  const ids = { dtype: 'I64', shape: [1], data_offsets: [0, 8] };
  const source = file({ ids }, 8);
  const bytes = await source.read(0, source.size);
  new DataView(bytes.buffer).setBigInt64(bytes.length - 8, 2n ** 31n, true);
  const read = await readSafetensors(bytesInMemory('f', bytes));
  const message = (body: () => Promise<unknown>) =>
    body().then(
      () => 'accepted',
      (error: Error) => (error instanceof WeightsError ? error.message : 'another error'),
    );
  assert.is(await message(() => read.read('nothing')), "f: tensor 'nothing' is missing");
  assert.match(await message(() => read.readFloats('ids')), /'ids' is I64, expected F32/);
  assert.match(await message(() => read.readIntegers('ids')), /'ids' holds 2147483648, which is no int32/);
});

test('a missing file and a folder are refused by name', async () => {
  for (const [name, message] of [
    ['nothing', /nothing: no such file/],
    ['.', /not a file/],
  ] as const) {
    const refused = await openSafetensors(path.join(folder, name)).catch((error) => error);
    assert.instance(refused, WeightsError);
    assert.match(refused.message, message);
  }
});

test('a file that shrinks while it is open is refused', async () => {
  const shrinking = path.join(folder, 'shrinking');
  await writeSafetensors(shrinking, { a: { dtype: 'F32', shape: [4], data: new Float32Array(4) } });
  const read = await openSafetensors(shrinking);
  fs.truncateSync(shrinking, fs.statSync(shrinking).size - 4);
  const refused = await read.read('a').catch((error) => error);
  assert.instance(refused, WeightsError);
  assert.match(refused.message, /ended at byte \d+/);
  await read.close();
});

test('a failed write leaves the file that was there, and no other', async () => {
  const own = fs.mkdtempSync(path.join(folder, 'failed-'));
  const target = path.join(own, 'weights');
  const good: TensorToWrite = { dtype: 'F32', shape: [1], data: Float32Array.of(1) };
  await writeSafetensors(target, { good });
  const before = fs.readFileSync(target);
  const bad: TensorToWrite[] = [
    { dtype: 'F32', shape: [2], data: Float32Array.of(1) },
    { dtype: 'F32', shape: [1], data: Uint16Array.of(1, 2) },
    { dtype: 'F32', shape: [1], data: () => Promise.reject(new WeightsError('the device is gone')) },
  ];
  for (const tensor of bad) {
    const refused = await writeSafetensors(target, { good, z: tensor }).catch((error) => error);
    assert.instance(refused, WeightsError);
    assert.equal(fs.readdirSync(own), ['weights']);
    assert.ok(fs.readFileSync(target).equals(before));
  }
  const nowhere = await writeSafetensors(path.join(own, 'no', 'where'), { good }).catch((error) => error);
  assert.instance(nowhere, WeightsError);
});

test.run();

// Files made to break the reader, from fixed seeds: cut off at every byte, with bytes changed, with hostile headers.
// Each is either refused with a WeightsError of one line or read to the shapes it states; nothing else may be thrown,
// and nothing is read, or memory taken for it, beyond the file.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../engine/random.ts';
import { type ByteSource, bytesInMemory } from '../../files/byte-source.ts';
import { WeightsError } from '../../files/errors.ts';
import { Clip } from '../../model/clip/clip.ts';
import { loadClip } from '../../model/clip/load-clip.ts';
import { saveClip } from '../../model/clip/save-clip.ts';
import { initialise } from '../../model/initialise.ts';
import { readSafetensors } from '../../weights/safetensors.ts';
import { bytesOf } from '../../weights/safetensors-header.ts';
import { writeSafetensors } from '../../weights/write-safetensors.ts';
import { device } from '../support/device.ts';
import { generator } from '../support/random.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-fuzz-'));
test.after(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'small');
await writeSafetensors(
  path,
  {
    'a.weight': { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    'b.bias': { dtype: 'F16', shape: [3], data: Uint16Array.of(1, 2, 3) },
    ids: { dtype: 'I64', shape: [2], data: BigInt64Array.of(1n, -1n) },
    scalar: { dtype: 'BF16', shape: [], data: Uint16Array.of(0x3f80) },
    empty: { dtype: 'U8', shape: [0, 4], data: new Uint8Array(0) },
  },
  { format: 'pt' },
);
/** Its header as another program writes it: without checksums, which would refuse any change of it. */
const [header, data] = withoutChecksums(new Uint8Array(readFileSync(path)));
const small = fileOf(header, data);

function withoutChecksums(bytes: Uint8Array<ArrayBuffer>) {
  const end = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { __metadata__: _, ...tensors } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, end)));
  return [JSON.stringify({ __metadata__: { format: 'pt' }, ...tensors }), bytes.subarray(end)] as const;
}

function fileOf(text: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** Reads all of a file; says whether it was refused. Throws for any other end. */
async function outcomeOf(source: ByteSource): Promise<'read' | 'refused'> {
  const guarded: ByteSource = {
    ...source,
    read(offset, length) {
      assert.ok(offset >= 0 && length >= 0 && offset + length <= source.size, `read ${offset}+${length}`);
      return source.read(offset, length);
    },
  };
  try {
    const file = await readSafetensors(guarded);
    for (const name of file.names) {
      const { dtype, shape, bytes } = file.info(name);
      const elements = shape.reduce((product, n) => product * n, 1);
      assert.is(elements * bytesOf[dtype], bytes);
      assert.is((await file.read(name)).length, elements);
    }
    return 'read';
  } catch (error) {
    checkRefusal(error);
    return 'refused';
  }
}

function checkRefusal(error: unknown): void {
  if (!(error instanceof WeightsError)) throw error;
  assert.ok(error.message.length < 600 && !/[\n\r\u2028]/.test(error.message), error.message);
}

/** A file with this text as its header. */
function withHeader(text: string, own: Uint8Array = data): ByteSource {
  return bytesInMemory('f', fileOf(text, own));
}

test('the file itself is read, and cut off at any byte it is refused', async () => {
  assert.is(await outcomeOf(bytesInMemory('f', small)), 'read');
  for (let size = 0; size < small.length; size++) {
    assert.is(await outcomeOf(bytesInMemory('f', small.slice(0, size))), 'refused', `${size} bytes`);
  }
});

test('with one to four bytes changed', async () => {
  const random = generator(1);
  const outcomes = { read: 0, refused: 0 };
  for (let round = 0; round < 6000; round++) {
    const bytes = small.slice();
    for (let n = 1 + Math.floor(random() * 4); n > 0; n--) {
      const place = Math.floor(random() * (8 + header.length));
      // A changed bit, or a character that means something in a header.
      bytes[place] =
        random() < 0.5 ? bytes[place]! ^ (1 << (random() * 8)) : '{}[]",:\\0-9e.u'.charCodeAt(random() * 14);
    }
    outcomes[await outcomeOf(bytesInMemory('f', bytes))]++;
  }
  assert.ok(outcomes.read > 50 && outcomes.refused > 3000, JSON.stringify(outcomes));
});

test('with a value of the header replaced, repeated or taken away', async () => {
  const random = generator(2);
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!;
  const hostile = [
    ...['0', '-1', '1.5', '1e308', '9223372036854775808', '9007199254740992', '4294967296', '-0', '6', '24'],
    ...[
      'null',
      'true',
      '[]',
      '{}',
      '""',
      '"F32"',
      '"U8"',
      '"__proto__"',
      '"\\u0000"',
      '[0,24]',
      '[[[[[0]]]]]',
    ],
    ...['[4294967296,4294967296]', '[0,9223372036854775807]', '[1e300,1e300]', '"\\ud800"', 'NaN', ''],
    `[${'1,'.repeat(500)}1]`,
    `"${'x'.repeat(2000)}"`,
  ];
  const value = /\[[^\]]*\]|"[^"]*"|\d+/g;
  const places = [...header.matchAll(value)];
  const outcomes = { read: 0, refused: 0 };
  for (let round = 0; round < 6000; round++) {
    let text = header;
    for (let n = 1 + Math.floor(random() * 3); n > 0; n--) {
      const { 0: old, index } = pick(places);
      text =
        text.slice(0, index) + pick([pick(hostile), pick(places)[0], '']) + text.slice(index + old.length);
    }
    outcomes[await outcomeOf(withHeader(text))]++;
  }
  assert.ok(outcomes.read > 0 && outcomes.refused > 3000, JSON.stringify(outcomes));
});

test('headers made to take time or memory are given up early', async () => {
  const entry = '{"dtype":"F32","shape":[],"data_offsets":[0,4]}';
  const four = new Uint8Array(4);
  const much = 3_000_000;
  const hostile = {
    'nested lists': `{"a":${'['.repeat(much)}${']'.repeat(much)}}`,
    'nested objects': `${'{"a":'.repeat(much / 5)}1${'}'.repeat(much / 5)}`,
    'a long list': `{"a":{"dtype":"F32","shape":[${'1,'.repeat(much)}1],"data_offsets":[0,4]}}`,
    'many wrong entries': `{${Array.from({ length: much / 10 }, (_, i) => `"${i}":0`).join()}}`,
    'one name many times': `{${`"a":${entry},`.repeat(much / 50)}"a":${entry}}`,
    'much space': `{"a"${' '.repeat(much)}:${' '.repeat(much)}${entry}${' '.repeat(much)}x}`,
    'much space in a value': `{"a":1${' '.repeat(much)}2}`,
    'a long number': `{"a":${'9'.repeat(much)}}`,
    'a string without end': `{"a":"${'\\"'.repeat(much)}`,
    'a long name': `{"${'x'.repeat(much)}":0}`,
  };
  for (const [what, text] of Object.entries(hostile)) {
    assert.is(await outcomeOf(withHeader(text, four)), 'refused', what);
  }
  const notes = `{"__metadata__":{"note":"${'x'.repeat(much)}"},"a":${entry}}`;
  assert.is(await outcomeOf(withHeader(notes, four)), 'read', 'long notes are allowed');
});

test('a size that no memory holds is refused before memory is taken', async () => {
  // A sparse file of 2^50 bytes may exist, and a header may truly describe it.
  const first = 8 + 60;
  const size = 2 ** 50;
  const text = `{"a":{"dtype":"U8","shape":[${size}],"data_offsets":[0,${size}]}}`.padEnd(first - 8 + 4);
  const start = new Uint8Array(8 + text.length);
  new DataView(start.buffer).setBigUint64(0, BigInt(text.length), true);
  start.set(new TextEncoder().encode(text), 8);
  const claimed = { ...bytesInMemory('f', start), size: start.length + size };
  assert.equal((await readSafetensors(claimed)).info('a').shape, [size]);
  assert.is(await outcomeOf({ ...claimed, size: start.length + size - 1 }), 'refused');
});

test('a CLIP whose files were changed loads or is refused, and then nothing stays on the device', async () => {
  const config = {
    text: { width: 4, hidden: 8, heads: 1, layers: 1, vocabulary: 6, maxLength: 4 },
    vision: { width: 4, hidden: 8, heads: 1, layers: 1, imageSize: 4, patchSize: 2 },
    projection: 2,
  };
  const { tensors: fresh } = initialise(device, new Random(3), (p) => new Clip(p, config));
  const clip = join(folder, 'clip');
  await saveClip(clip, config, fresh, { vocab: { a: 0 }, merges: '', bosId: 4, eosId: 5 });
  const random = generator(4);
  const before = device.counters.liveBytes;
  for (const name of ['config.json', 'model.safetensors']) {
    const good = new Uint8Array(readFileSync(join(clip, name)));
    for (let round = 0; round < 150; round++) {
      const bytes = good.slice(0, random() < 0.2 ? random() * good.length : good.length);
      for (let n = random() * 3; n > 0; n--) bytes[Math.floor(random() * bytes.length)] = random() * 256;
      writeFileSync(join(clip, name), bytes);
      try {
        const { tensors } = await loadClip(device, clip);
        for (const tensor of tensors.values()) tensor.release();
      } catch (error) {
        checkRefusal(error);
      }
    }
    writeFileSync(join(clip, name), good);
  }
  assert.ok(device.counters.liveBytes <= before, `${device.counters.liveBytes} bytes, ${before} before`);
  const { tensors } = await loadClip(device, clip);
  for (const tensor of [...tensors.values(), ...fresh.values()]) tensor.release();
});

test.run();

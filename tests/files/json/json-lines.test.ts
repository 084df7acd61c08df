// Lines of JSON from streams: however the bytes are cut, as they come, in bounded memory.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../files/errors.ts';
import { parseJsonLines } from '../../../files/json/json-lines.ts';

const text = '{"a":1}\n\r\n  \n"ä語"\r\n[2]\n{"last":"no newline"}';
const expected = [
  { number: 1, value: { a: 1 } },
  { number: 4, value: 'ä語' },
  { number: 5, value: [2] },
  { number: 6, value: { last: 'no newline' } },
];

/** The bytes in pieces, in one buffer that is used again and again. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    buffer.set(part);
    yield buffer.subarray(0, part.length);
  }
}

async function all(chunks: AsyncIterable<Uint8Array>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const lines of parseJsonLines('in', chunks)) found.push(...lines);
  return found;
}

test('lines are the same however the bytes are cut', async () => {
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 7, 1000]) assert.equal(await all(pieces(bytes, size)), expected);
  assert.equal(await all(pieces(new Uint8Array(0), 1)), []);
});

test('the lines that a chunk completes are given together', async () => {
  const groups: number[][] = [];
  for await (const lines of parseJsonLines('in', pieces(new TextEncoder().encode('1\n2\n3\n\n\n4'), 3))) {
    groups.push(lines.map(({ number }) => number));
  }
  assert.equal(groups, [[1], [2, 3], [6]]);
});

test('a line is given before the next one has come', async () => {
  let sent = 0;
  async function* slow() {
    for (const line of ['{"n":1}\n', '{"n":2}\n']) {
      sent++;
      yield new TextEncoder().encode(line);
    }
  }
  for await (const lines of parseJsonLines('in', slow())) {
    assert.equal(lines, [{ number: sent, value: { n: sent } }]);
  }
  assert.is(sent, 2);
});

test('what has no end, is no JSON or no UTF-8 is refused with its line', async () => {
  async function* endless() {
    yield new TextEncoder().encode('{}\n');
    for (let sent = 0; ; sent++) {
      assert.ok(sent < 300, 'it goes on reading');
      yield new Uint8Array(2 ** 16).fill(97);
    }
  }
  const cases: [AsyncIterable<Uint8Array>, RegExp][] = [
    [endless(), /^in: line 2: expected at most 4194304 bytes$/],
    [pieces(new TextEncoder().encode('{}\n{'), 10), /^in: line 2: not valid JSON/],
    [pieces(Uint8Array.of(0x7b, 0x7d, 10, 34, 0xff, 34), 10), /^in: line 2: expected UTF-8 text$/],
  ];
  for (const [chunks, message] of cases) {
    const error = await all(chunks).catch((thrown: Error) => thrown);
    assert.instance(error, InputError);
    assert.match((error as Error).message, message);
  }
});

test.run();

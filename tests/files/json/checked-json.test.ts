// JSON files with a checksum of themselves: any change is noticed, and other programs read them.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../files/errors.ts';
import {
  checkedJson,
  checkedLine,
  parseCheckedJson,
  parseCheckedLine,
} from '../../../files/json/checked-json.ts';

const value = { version: 3, name: 'é"\\', checksum2: 'crc32:00000000', list: [1, { a: null }] };
const parse = (text: string) => parseCheckedJson('f.json', text, 3, 'make it again');

function refusal(text: string): string {
  try {
    parse(text);
  } catch (error) {
    assert.instance(error, InputError);
    return (error as Error).message;
  }
  return 'no error';
}

test('what is written is read, indented or not, and is JSON', () => {
  for (const indent of [undefined, 2]) {
    const text = checkedJson(value, indent);
    assert.equal(parse(text), value);
    const { checksum, ...others } = JSON.parse(text);
    assert.match(checksum, /^crc32:[0-9a-f]{8}$/);
    assert.equal(others, value);
  }
});

test('every changed character, every cut and what is appended is refused', () => {
  const text = checkedJson(value, 2);
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === '1' ? '2' : '1';
    const changed = text.slice(0, at) + other + text.slice(at + 1);
    assert.match(refusal(changed), /^f\.json: /, changed);
    assert.match(refusal(text.slice(0, at)), /^f\.json: /);
  }
  assert.match(refusal(`${text} `), /was damaged or edited \(wrong checksum\); make it again/);
});

test('another version, none, and no checksum are said with what to do', () => {
  assert.is(
    refusal(checkedJson({ ...value, version: 2 })),
    'f.json: version: expected 3; make it again, found 2',
  );
  assert.is(refusal(checkedJson({})), 'f.json: version: expected 3; make it again, found none');
  assert.is(refusal('{"version": 1}'), 'f.json: version: expected 3; make it again, found 1');
  assert.is(refusal('{"version": 3}'), 'f.json: checksum: expected one; make it again');
  assert.is(
    refusal('{"version": 3, "checksum": "crc32:00000000"}'),
    'f.json: checksum: expected one; make it again',
  );
  assert.match(refusal('[]'), /expected an object, found an array/);
});

test('lines go on from each other: none is changed, taken out or put elsewhere', () => {
  const lines: string[] = [];
  for (let step = 0; step < 4; step++) lines.push(checkedLine({ step }, lines.at(-1) ?? ''));
  const read = (all: readonly string[]) => all.map((line, i) => parseCheckedLine(line, all[i - 1] ?? ''));
  assert.equal(
    read(lines),
    [0, 1, 2, 3].map((step) => ({ step })),
  );
  assert.equal(read([lines[0]!, lines[2]!, lines[3]!]), [{ step: 0 }, null, { step: 3 }]);
  assert.equal(read(lines.toReversed()), [null, null, null, null]);
  assert.is(parseCheckedLine('{"step": 1}\n', ''), null);
  assert.is(parseCheckedLine(lines[0]!.slice(0, 9), ''), null);
});

test.run();

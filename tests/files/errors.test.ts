// Messages of errors: one line of bounded length that a terminal shows and does not obey, whatever the input was; and where
// bytes are no text.

import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError, visible, visibleLines } from '../../files/errors.ts';
import { jsonOf, parseJson } from '../../files/json/json-fields.ts';
import { decodeText } from '../../files/read-text.ts';

const obeyed = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const anyText = fc.string({ unit: 'binary', maxLength: 40 });

test('whatever was found, an error is one line that moves no cursor and turns no text', () => {
  fc.assert(
    fc.property(anyText, anyText, anyText, (file, field, found) => {
      for (const error of [
        new InputError({ file, field, expected: 'x', found }),
        new InputError(file + found),
      ]) {
        assert.not.match(error.message, obeyed);
      }
      assert.not.match(visibleLines(`${file}\n${found}`).replaceAll(/[\n\t]/g, ''), obeyed);
    }),
    { numRuns: 300 },
  );
  assert.is(visible('a\u001b[31m\nb\t\u009b\u202e'), 'a\\u001b[31m\\nb\\t\\u009b\\u202e');
  // In a line of JSON the same text stays what it was.
  assert.is(JSON.parse(visibleLines(JSON.stringify('\u007f\u009b\u2028'))), '\u007f\u009b\u2028');
});

test('a message is bounded; its end stays', () => {
  const { message } = new InputError(`kb.jsonl: line 3: id: ${'x'.repeat(1e6)} occurs twice`);
  assert.ok(message.length < 5100);
  assert.match(message, /^kb\.jsonl: line 3: id: x+…x+ occurs twice$/);
});

test('bytes are text, or an error says from which line and byte on they are none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), fc.string({ maxLength: 10 }), (bytes, before) => {
      const all = Buffer.concat([Buffer.from(before), bytes]);
      const isText = Buffer.from(all.toString('utf8')).equals(all);
      try {
        assert.is(Buffer.from(decodeText('f', all)).length, isText ? all.length - bomBytes(all) : -1);
      } catch (error) {
        if (isText || !(error instanceof InputError)) throw error;
        const [, line, at] = /^f: line (\d+): expected UTF-8 text, found others at byte (\d+)$/.exec(
          error.message,
        )!;
        assert.is(Number(line), all.subarray(0, Number(at)).toString('latin1').split('\n').length);
        // What comes before is text, but for a last character that is not whole.
        assert.match(all.subarray(0, Number(at)).toString('utf8'), /^[^\ufffd]*\ufffd?$/);
      }
    }),
    { numRuns: 500 },
  );
});

function bomBytes(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

test('half a character is refused, a whole one in two escapes is not', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('\ud83d', '\ude00', 'a', '\\', '"') }), (text) => {
      const json = JSON.stringify({ [text]: [text] });
      if (!/\p{Surrogate}/u.test(text)) assert.equal(parseJson('f', json), { [text]: [text] });
      else assert.throws(() => parseJson('f', json), 'expected whole characters');
    }),
    { numRuns: 500 },
  );
});

test('a value that is nested too deep for the stack is said to be one', () => {
  const deep = `${'['.repeat(1e5)}1${']'.repeat(1e5)}`;
  // Deno's stack bears it.
  const isWritten = 'Deno' in globalThis;
  assert.ok(jsonOf(parseJson('f', deep)) === (isWritten ? deep : 'an array'));
  assert.is(jsonOf(undefined), 'nothing');
});

test.run();

// What is said of values that do not fit their schema.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as v from 'valibot';
import { InputError } from '../../../files/errors.ts';
import { parseBySchema } from '../../../files/json/schema.ts';

const schema = v.strictObject({
  name: v.string(),
  epochs: v.pipe(v.number(), v.integer('an integer'), v.minValue(1, 'an integer >= 1')),
  kind: v.picklist(['text', 'visual', 'multimodal']),
  width: v.optional(v.nullable(v.number())),
  layers: v.optional(v.array(v.object({ size: v.number('a size in pixels') })), []),
});
const good = { name: 'x', epochs: 3, kind: 'text' };

test('a value that fits is the output of its schema', () => {
  assert.equal(parseBySchema('f', schema, good), { ...good, layers: [] });
});

const cases: [unknown, string][] = [
  [7, 'f: expected an object, found 7'],
  [[], 'f: expected an object, found an array'],
  [{ ...good, name: undefined }, 'f: name: expected a string, found nothing'],
  [{ epochs: 3, kind: 'text' }, 'f: name: expected a string, found nothing'],
  [{ ...good, name: ['a'] }, 'f: name: expected a string, found an array'],
  [{ ...good, epochs: 0 }, 'f: epochs: expected an integer >= 1, found 0'],
  [{ ...good, epochs: 1.5 }, 'f: epochs: expected an integer, found 1.5'],
  [{ ...good, kind: 'audio' }, 'f: kind: expected one of "text", "visual", "multimodal", found "audio"'],
  [{ ...good, width: '7' }, 'f: width: expected a number, found "7"'],
  [
    { ...good, layers: [{ size: 1 }, { size: '\u001b[31m' }] },
    'f: layers[1].size: expected a size in pixels, found "\\u001b[31m"',
  ],
  [{ ...good, layers: [{}] }, 'f: layers[0].size: expected a size in pixels, found nothing'],
  [{ ...good, constructor: 1 }, 'f: constructor: expected no field of this name'],
];
for (const [value, message] of cases) {
  test(message, () => {
    try {
      parseBySchema('f', schema, value);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, InputError);
      assert.is((error as Error).message, message);
      assert.is((error as InputError).problem?.file, 'f');
    }
  });
}

test.run();

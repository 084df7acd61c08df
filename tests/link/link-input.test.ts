// Mentions from lines of JSON: what a line may hold, how many come at a time, what is wrong with a line.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../files/errors.ts';
import { readMentions } from '../../link/link-input.ts';

async function* chunksOf(texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

async function batches(texts: readonly string[], most: number) {
  const found = [];
  for await (const mentions of readMentions('f', chunksOf(texts), most)) found.push(mentions);
  return found;
}

test('a line is a mention with or without an image', async () => {
  const text = [
    '\ufeff{"word":"a","sentence":"b","id":3}\r\n \n{"word":"c","sentence":"d","image":""}\n',
    '{"word":"e","sentence":"f","image":null}\n{"word":"g","sentence":"h","image":"i.jpg"}',
  ].join('');
  assert.equal(await batches([text], 9), [
    [
      { word: 'a', sentence: 'b', image: null },
      { word: 'c', sentence: 'd', image: null },
      { word: 'e', sentence: 'f', image: null },
    ],
    [{ word: 'g', sentence: 'h', image: 'i.jpg' }],
  ]);
});

test('so many come at a time at most, and those of a chunk before the next chunk', async () => {
  const line = (word: number) => `{"word":"${word}","sentence":"s"}\n`;
  const found = await batches([`${line(1)}${line(2)}${line(3)}`, line(4)], 2);
  assert.equal(
    found.map((mentions) => mentions.map(({ word }) => word)),
    [['1', '2'], ['3'], ['4']],
  );
});

test('every wrong line is named by file, line and field', async () => {
  for (const [line, message] of [
    ['{"word": "a"', /^f: line 2: not valid JSON/],
    ['null', /^f: line 2: expected an object, found null$/],
    ['["a"]', /^f: line 2: expected an object, found an array$/],
    ['{"word": 3, "sentence": "b"}', /^f: line 2: word: expected a string, found 3$/],
    ['{"word": "a"}', /^f: line 2: sentence: expected a string, found nothing$/],
    ['{"word": " ", "sentence": "b"}', /^f: line 2: word: expected a text that is not empty, found " "$/],
    [
      '{"word": "a", "sentence": "b", "image": 1}',
      /^f: line 2: image: expected the path of a file, found 1$/,
    ],
  ] as const) {
    const error = await batches([`\n${line}`], 9).catch((thrown: Error) => thrown);
    assert.instance(error, InputError);
    assert.match((error as Error).message, message);
  }
});

test.run();

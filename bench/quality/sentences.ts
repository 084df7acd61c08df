// Sentences with a marked word and the entity that it means, one JSON object a line: what a linker is held against that was
// written by somebody who did not see its training.

import * as v from 'valibot';
import { InputError } from '../../files/errors.ts';
import { readJsonLines } from '../../files/json/json-lines.ts';
import { parseBySchema } from '../../files/json/schema.ts';

/** Several entities have the word as their name; one has; the entity that is meant is not in the knowledge base. */
const types = ['homonym', 'unambiguous', 'missing'] as const;

const filledText = v.pipe(v.string('a string'), v.nonEmpty('a non-empty string'));
/** One line. Other fields are passed over. */
const sentenceSchema = v.object(
  {
    word: filledText,
    sentence: filledText,
    entity: v.nullable(filledText),
    type: v.picklist(types, `one of ${types.join(', ')}`),
  },
  'an object',
);
/** `entity`: what the knowledge base calls the entity that is meant; null where it is missing there. */
export type Sentence = v.InferOutput<typeof sentenceSchema>;

/** The sentences of a file. Throws InputError, `FILE: line 17: type: expected ...`. */
export async function readSentences(file: string): Promise<Sentence[]> {
  const sentences: Sentence[] = [];
  for await (const { number, value } of readJsonLines(file)) {
    const where = `${file}: line ${number}`;
    const sentence = parseBySchema(where, sentenceSchema, value);
    if ((sentence.entity === null) !== (sentence.type === 'missing')) {
      throw new InputError(`${where}: entity: expected null for what is missing, and for nothing else`);
    }
    sentences.push(sentence);
  }
  if (sentences.length === 0)
    throw new InputError({ file, expected: 'at least one sentence', found: 'none' });
  return sentences;
}

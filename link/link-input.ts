// Mentions that a user wants linked, one JSON object a line.

import * as v from 'valibot';
import { parseJsonLines } from '../files/json/json-lines.ts';
import { parseBySchema } from '../files/json/schema.ts';
import { isUrl } from '../files/locate.ts';

/** A mention of the user's; `image` is a path, an address or null. */
export interface MentionToLink {
  word: string;
  sentence: string;
  image: string | null;
}

const filledText = v.pipe(
  v.string('a string'),
  v.check((text) => text.trim() !== '', 'a text that is not empty'),
);
/** One line. Other fields are passed over. */
const mentionSchema = v.object(
  {
    word: filledText,
    sentence: filledText,
    image: v.nullish(
      v.pipe(
        v.string('the path of a file'),
        v.check((image) => !isUrl(image) || URL.canParse(image), 'the path of a file or an address'),
      ),
      '',
    ),
  },
  'an object',
);

/**
 * The mentions of a stream of bytes, at most `most` at a time; what has arrived is not held back for what has not. Throws
 * InputError, `NAME: line 17: word: expected ...`.
 */
export async function* readMentions(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  most: number,
): AsyncGenerator<MentionToLink[]> {
  for await (const lines of parseJsonLines(name, chunks)) {
    const mentions = lines.map(({ number, value }) => parseMention(`${name}: line ${number}`, value));
    for (let first = 0; first < mentions.length; first += most) yield mentions.slice(first, first + most);
  }
}

function parseMention(where: string, value: unknown): MentionToLink {
  const { word, sentence, image } = parseBySchema(where, mentionSchema, value);
  return { word, sentence, image: image === '' ? null : image };
}

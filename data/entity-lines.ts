// Entities in a file of one a line (JSON). They are streamed and never held; of what was read only the ids stay, so that one
// that stands twice is found. A browser reads them as the command does.

import * as v from 'valibot';
import { InputError } from '../files/errors.ts';
import { readJsonLines } from '../files/json/json-lines.ts';
import { parseBySchema } from '../files/json/schema.ts';
import type { Entity } from './entity-mention.ts';

const text = v.string('a string');
const filledText = v.pipe(text, v.nonEmpty('a non-empty string'));
/** More of an entity than anyone writes; its name table has an entry for each letter of each of its names. */
const most = { letters: 10_000, names: 10_000, images: 10_000 };
const shortText = v.pipe(
  filledText,
  v.maxLength(most.letters, `a string of at most ${most.letters} letters`),
);
/** One line of a knowledge base. Other fields are passed over. */
const lineSchema = v.object(
  {
    id: v.union(
      [shortText, v.pipe(v.number(), v.safeInteger('an integer of at most 2^53'))],
      'a non-empty string or an integer',
    ),
    name: shortText,
    aliases: v.nullish(
      v.pipe(
        v.array(
          v.pipe(text, v.maxLength(most.letters, `a string of at most ${most.letters} letters`)),
          'a list of strings',
        ),
        v.maxLength(most.names, `at most ${most.names} of them`),
      ),
      [],
    ),
    description: v.nullish(text, ''),
    attributes: v.nullish(
      v.union([text, v.record(v.string(), text, 'an object of strings')], 'a string or an object of strings'),
      '',
    ),
    images: v.nullish(
      v.pipe(
        v.array(filledText, 'a list of paths'),
        v.maxLength(most.images, `at most ${most.images} of them`),
      ),
      [],
    ),
  },
  'an object',
);

/**
 * The entities of a JSON-lines file in turn: `id` and `name`, and where a line has them `aliases`, `description`,
 * `attributes` (a text, or texts by name, which become `NAME: TEXT. NAME: TEXT`) and `images`, paths under a folder of images, of
 * which `imageAt` makes those of files.
 * Throws InputError, `FILE: line 17: name: expected ...`.
 */
export async function* readEntityLines(
  file: string,
  imageAt: (path: string) => string,
): AsyncGenerator<Entity> {
  const seen = new Set<string>();
  for await (const { number, value } of readJsonLines(file)) {
    const where = `${file}: line ${number}`;
    const { id, name, aliases, description, attributes, images } = parseBySchema(where, lineSchema, value);
    const qid = `${id}`;
    if (seen.has(qid)) throw new InputError(`${where}: id: ${qid} occurs twice`);
    yield {
      id: seen.size,
      qid,
      name,
      aliases,
      attributes: attributesOf({ description, attributes }),
      images: images.map((path, i) => imageAt(checkedPath(where, i, path))),
    };
    seen.add(qid);
  }
  if (seen.size === 0) throw new InputError({ file, expected: 'at least one entity', found: 'none' });
}

/** What is said of an entity as one text: its description, and its attributes, of which several have names. */
export function attributesOf({
  description,
  attributes,
}: {
  description: string;
  attributes: string | Record<string, string>;
}): string {
  const named =
    typeof attributes === 'string'
      ? attributes
      : Object.entries(attributes)
          .map(([name, value]) => `${name}: ${value}`)
          .join('. ');
  return [description, named].filter((part) => part !== '').join(' ');
}

/** A path under the images' folder; one that leads out of it is refused, since knowledge bases come from elsewhere. */
function checkedPath(where: string, i: number, path: string): string {
  const isOutside = /^(?:[/\\]|[a-z]:)/i.test(path) || path.split(/[/\\]/).includes('..');
  if (isOutside || path.includes('\0')) {
    throw new InputError({
      file: where,
      field: `images[${i}]`,
      expected: 'a path under the folder of images',
      found: JSON.stringify(path),
    });
  }
  return path;
}

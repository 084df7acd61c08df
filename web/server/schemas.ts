// What clients send and get, in one place: requests are checked by these, and the description of the interface is made of them.

import * as v from 'valibot';

/** Longer texts are none that a person writes: the encoders look at the first 77 tokens. */
const most = { word: 512, sentence: 2 ** 14, id: 256, aliases: 256, mentions: 1024 };

function filled(letters: number) {
  const expected = `a text that is not empty, of at most ${letters} letters`;
  return v.pipe(
    v.string(expected),
    v.maxLength(letters, expected),
    v.check((text) => text.trim() !== '', expected),
  );
}
function text(letters: number) {
  const expected = `a text of at most ${letters} letters`;
  return v.pipe(v.string(expected), v.maxLength(letters, expected));
}
function integer(least: number, largest: number) {
  const expected = `a whole number from ${least} to ${largest}`;
  return v.pipe(
    v.number(expected),
    v.integer(expected),
    v.minValue(least, expected),
    v.maxValue(largest, expected),
  );
}
const image = v.nullish(
  v.pipe(v.string('base64 or a data URL'), v.description('A JPEG, PNG or WebP file as base64 or a data URL')),
);

/** Texts by name; to valibot an array is an object too. */
const namedTexts = v.pipe(
  v.custom<Record<string, unknown>>((value) => !Array.isArray(value)),
  v.record(v.string(), text(most.sentence)),
);

const mentionEntries = {
  word: v.pipe(filled(most.word), v.description('The mention itself')),
  sentence: v.pipe(filled(most.sentence), v.description('The sentence that it stands in')),
  image,
};
const optionEntries = {
  top: v.optional(v.pipe(integer(1, 1000), v.description('Entities to give of each mention'))),
  candidates: v.optional(
    v.pipe(
      integer(0, 2 ** 31 - 1),
      v.description('Score so many entities of each mention only, the nearest by text and name; 0: all'),
    ),
  ),
  threshold: v.optional(
    v.pipe(
      v.number('a number from 0 to 1'),
      v.minValue(0, 'a number from 0 to 1'),
      v.maxValue(1, 'a number from 0 to 1'),
      v.description('Give no entity where the probability that the right one is known is less'),
    ),
  ),
  explain: v.optional(
    v.pipe(
      v.boolean('true or false'),
      v.description('Say what each expert gives the entities; not in a form'),
    ),
  ),
};

/** One mention. */
export const mentionRequest = v.strictObject({ ...mentionEntries, ...optionEntries }, 'an object');
/** Some mentions. */
export const mentionsRequest = v.strictObject(
  {
    mentions: v.pipe(
      v.array(v.strictObject(mentionEntries, 'an object'), 'a list of mentions'),
      v.minLength(1, 'at least one mention'),
      v.maxLength(most.mentions, `at most ${most.mentions} mentions`),
    ),
    ...optionEntries,
  },
  'an object',
);
export type LinkRequest = v.InferOutput<typeof mentionsRequest>;

/** An entity to put. */
export const entityRequest = v.strictObject(
  {
    name: filled(most.word),
    aliases: v.optional(
      v.pipe(
        v.array(filled(most.word), 'a list of texts'),
        v.maxLength(most.aliases, `at most ${most.aliases} aliases`),
      ),
      [],
    ),
    description: v.optional(text(most.sentence), ''),
    attributes: v.optional(v.union([text(most.sentence), namedTexts], 'a text or an object of texts'), ''),
    image,
  },
  'an object',
);
export type EntityRequest = v.InferOutput<typeof entityRequest>;

const idExpected = `an id of 1 to ${most.id} letters without control characters`;
/** What an entity is called in a path. */
export const idSchema = v.pipe(
  v.string(idExpected),
  v.maxLength(most.id, idExpected),
  v.regex(/^[^\p{Cc}]+$/u, idExpected),
  v.check((id) => id.trim() !== '', idExpected),
);
/** A name that is looked for. */
export const nameSchema = filled(most.word);

const wordWeight = v.object({ start: v.number(), end: v.number(), weight: v.number() });
const explanation = v.object({
  experts: v.record(v.string(), v.number()),
  names: v.number(),
  attention: v.record(v.string(), v.object({ word: v.number(), sentence: v.array(wordWeight) })),
});
const linked = v.object({
  qid: v.string(),
  name: v.string(),
  attributes: v.string(),
  score: v.pipe(v.number(), v.description('Larger is better; comparable for one mention only')),
  expert: v.pipe(
    v.nullable(v.string()),
    v.description('The expert that scored it, where the system has experts'),
  ),
  probability: v.pipe(
    v.nullable(v.number()),
    v.description('That it is the right one, if that is known; null where the system is not calibrated'),
  ),
  explanation: v.pipe(
    v.nullish(explanation),
    v.description(
      'Where it was asked for: the score by each expert, what the name adds, and what part of the attention falls on the word ' +
        'and on each word of the sentence (counted in UTF-16 units) by each expert that reads texts; null without experts',
    ),
  ),
});
export const linkResponse = v.object({
  results: v.pipe(
    v.array(
      v.object({
        inKnowledgeBase: v.pipe(
          v.nullable(v.number()),
          v.description(
            'Probability that the right entity is known; null where the system is not calibrated',
          ),
        ),
        entities: v.pipe(v.array(linked), v.description('Best first')),
      }),
    ),
    v.description('One a mention, in their order'),
  ),
});

export const entityResponse = v.object({
  qid: v.string(),
  name: v.string(),
  aliases: v.array(v.string()),
  attributes: v.string(),
  images: v.pipe(v.number(), v.description('How many pictures it has')),
});
export const entitiesResponse = v.object({ entities: v.array(entityResponse) });
export const putResponse = v.object({ qid: v.string(), outcome: v.picklist(['created', 'replaced']) });
export const healthResponse = v.object({ status: v.literal('ok') });
export const readyResponse = v.object({
  ready: v.boolean(),
  system: v.nullable(v.string()),
  entities: v.nullable(v.number()),
});
export const errorResponse = v.object({ error: v.string() });

// Which words of a mention's sentence the text unit of each expert looks at, for the entities that were found: the weights by
// which an entity's tokens attend to the mention's (equation 9), averaged over the entity's, summed by word.

import { joinedText, mentionTexts } from '../data/entity-mention.ts';
import type { Tokenizer } from '../data/text/tokenizer.ts';
import { noGrad } from '../engine/autograd.ts';
import type { EntitySide, Expert, MentionSide } from '../model/dsmip/expert-model.ts';
import type { EntitySource, MentionSource } from '../ranking/sources.ts';

/** A word of the sentence, from its first UTF-16 unit to before `end`, and its part of the attention. */
export interface WordWeight {
  start: number;
  end: number;
  weight: number;
}

/** Attention over a mention's text. What is missing to 1 falls on marks, prompts and the tokens of beginning and end. */
export interface TextAttention {
  /** What falls on the mention's word where it stands before the sentence. */
  word: number;
  /** The words of the sentence in their order, as far as the encoder reads it. */
  sentence: WordWeight[];
}

/** By mention and by found entity, the attention of each expert that reads texts, by its name. */
export async function wordAttention(
  experts: readonly Expert[],
  mentions: readonly { word: string; sentence: string }[],
  tokenizer: Tokenizer,
  source: MentionSource,
  entities: EntitySource,
  found: readonly (readonly { entity: number }[])[],
): Promise<Record<string, TextAttention>[][]> {
  const readers = experts.filter((expert) => expert.retrievalPart !== null);
  const all: Record<string, TextAttention>[][] = [];
  for (const [i, mention] of mentions.entries()) {
    const rows = found[i]!.map(({ entity }) => entity);
    const weights = rows.length === 0 ? [] : await attentionOf(readers, source, i, entities, rows);
    all.push(
      rows.map((_, row) =>
        Object.fromEntries(
          readers.map((expert, part) => {
            const { values, width } = weights[part]!;
            // Between the tokens of the beginning and of the end.
            const first = row * width + expert.textPrompts + 1;
            const own = values.subarray(first, first + source.lengths[i]! - 2);
            return [expert.name, byWord(mention, tokenizer, own)];
          }),
        ),
      ),
    );
  }
  return all;
}

/** Of each expert the weights of some entities over a mention's tokens, prompts included: [entities, width]. */
async function attentionOf(
  experts: readonly Expert[],
  source: MentionSource,
  mention: number,
  entities: EntitySource,
  rows: readonly number[],
): Promise<{ values: Float32Array; width: number }[]> {
  const sides = await entities.load(experts, rows);
  const [first] = experts;
  if (!first) return [];
  const { device } = first;
  const reads = device.scope(() =>
    noGrad(() => {
      // All of them count: it is the kernel with a mask that scoring has compiled.
      const mask = device.tensor([1, rows.length], new Uint32Array(rows.length).fill(1));
      const ofEntities = sides() as EntitySide[];
      return experts.map((expert, i) => {
        const attended = expert.textAttention(
          source.side(expert, [mention]) as MentionSide,
          ofEntities[i]!,
          mask,
        )!;
        return { width: attended.shape[2]!, read: device.read<'f32'>(attended) };
      });
    }),
  );
  return Promise.all(reads.map(async ({ width, read }) => ({ values: await read, width })));
}

/** `weights`: of the text's tokens that were read, in their order. */
function byWord(
  mention: { word: string; sentence: string },
  tokenizer: Tokenizer,
  weights: Float32Array,
): TextAttention {
  const text = joinedText(mentionTexts(mention));
  const sentenceAt = text.length - mention.sentence.length;
  const attention: TextAttention = { word: 0, sentence: [] };
  const spans = tokenizer.wordSpans(text).slice(0, weights.length);
  for (const [i, { start, end }] of spans.entries()) {
    if (!/[\p{L}\p{N}]/u.test(text.slice(start, end))) continue;
    const last = attention.sentence.at(-1);
    const weight = weights[i]!;
    if (start < sentenceAt) attention.word += weight;
    else if (last?.start === start - sentenceAt) last.weight += weight;
    else attention.sentence.push({ start: start - sentenceAt, end: end - sentenceAt, weight });
  }
  return attention;
}

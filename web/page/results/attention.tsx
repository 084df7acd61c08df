// Which words of the sentence count for an entity: the text unit's attention as a shade behind each word, and the words with the
// most of it in figures, for those who see no shades.

import type { Linked } from '../../../link/linker.ts';
import { wordsOf } from '../address.ts';
import { shownAttention } from '../site.ts';

export interface AttentionProps {
  sentence: string;
  word: string;
  entity: Linked;
  place: number;
}

/** Words that are named. */
const mostNamed = 3;

export function Attention({ sentence, word, entity, place }: AttentionProps) {
  const found = shownAttention(entity);
  if (!found) return null;
  const { expert, attention } = found;
  const words = wordsOf(sentence).map(([start, end]) => ({
    start,
    end,
    weight: attention.sentence
      .filter((part) => part.start >= start && part.end <= end)
      .reduce((sum, part) => sum + part.weight, 0),
  }));
  const most = Math.max(...words.map(({ weight }) => weight));
  const named = words.toSorted((a, b) => b.weight - a.weight).slice(0, mostNamed);
  return (
    <figure class="attention">
      <figcaption>
        What the {expert} expert reads for {place + 1}. {entity.name}, {entity.attributes}
      </figcaption>
      <blockquote>
        {words.map(({ start, end, weight }, i) => (
          <>
            {sentence.slice(i === 0 ? 0 : words[i - 1]!.end, start)}
            <span class="share" style={{ '--share': (weight / most).toFixed(2) }}>
              {sentence.slice(start, end)}
            </span>
          </>
        ))}
        {sentence.slice(words.at(-1)?.end ?? 0)}
      </blockquote>
      <p>
        Of its attention falls on{' '}
        {named.map(({ start, end, weight }, i) => (
          <>
            {i > 0 && ', '}“{sentence.slice(start, end)}” {percent(weight)}
          </>
        ))}
        , and on “{word}” before the sentence, where the expert reads it first, {percent(attention.word)}.
      </p>
    </figure>
  );
}

function percent(weight: number): string {
  return `${Math.round(100 * weight)} %`;
}

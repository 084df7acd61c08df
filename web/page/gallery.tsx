// Example mentions with stored results, so that there is something to see without WebGPU too.

import { findWord } from './address.ts';
import { type Example, isRight, type Site } from './site.ts';

export interface GalleryProps {
  site: Site;
  shown: Example | null;
  onPick(example: Example): void;
}

export function Gallery({ site, shown, onPick }: GalleryProps) {
  if (site.examples.length === 0) return null;
  const failures = site.examples.filter((example) => !isRight(example)).length;
  return (
    <section class="gallery" aria-labelledby="gallery-title">
      <h2 id="gallery-title">Examples</h2>
      <p>
        {site.examples.length} mentions that no training has seen, {failures} of them failures, taken by a
        fixed rule from all over the development split: it shows more that are right than there are.
      </p>
      <ul>
        {site.examples.map((example) => (
          <li key={`${example.word} ${example.sentence}`}>
            <button type="button" aria-pressed={example === shown} onClick={() => onPick(example)}>
              {example.image && <img src={example.image} alt="" width={48} height={48} loading="lazy" />}
              <Marked {...example} />
              {!isRight(example) && <span class="badge failure">failure</span>}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Marked({ sentence, word }: Pick<Example, 'sentence' | 'word'>) {
  const [start, end] = findWord(sentence, word) ?? [0, 0];
  return (
    <span>
      {sentence.slice(0, start)}
      <mark>{sentence.slice(start, end)}</mark>
      {sentence.slice(end)}
    </span>
  );
}

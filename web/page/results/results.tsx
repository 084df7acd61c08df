// The entities that were found for a mention, and why: what each expert gives them, and which one the gate chose.

import { useState } from 'preact/hooks';
import type { Linked } from '../../../link/linker.ts';
import { type Example, isRight, type Pictures, shownAttention } from '../site.ts';
import type { Answer } from '../use-linker.ts';
import { useThumbnail } from '../use-picture.ts';
import { Attention } from './attention.tsx';

export interface ResultsProps {
  /** Of the entities that were found. */
  pictures: Pictures;
  answer: Answer | null;
  /** The example of the gallery that is shown; null for a mention of the visitor's. */
  example: Example | null;
  problem: string | null;
  /** What is chosen in the sentence; null for nothing. */
  word: string | null;
  isWaiting: boolean;
}

export function Results({ pictures, answer, example, problem, word, isWaiting }: ResultsProps) {
  const [chosen, setChosen] = useState<{ answer: Answer; place: number } | null>(null);
  const place = chosen?.answer === answer ? chosen!.place : 0;
  const read = answer?.found[place];
  return (
    <section class="results" id="results" tabIndex={-1} aria-labelledby="results-title" aria-busy={isWaiting}>
      <h2 id="results-title">What it may mean</h2>
      <p role="status" class={isWaiting ? 'waiting' : ''}>
        {problem ?? summaryOf(answer, word)}
      </p>
      {example && <Verdict example={example} />}
      {answer && (
        <>
          {read && <Attention {...answer.question.mention} entity={read} place={place} />}
          <ol>
            {answer.found.map((entity, i) => (
              <Entity
                key={entity.qid}
                pictures={pictures}
                entity={entity}
                place={i}
                all={answer.found}
                isGold={example?.gold.qid === entity.qid}
                isRead={i === place}
                onRead={() => setChosen({ answer, place: i })}
              />
            ))}
          </ol>
          <Meaning />
        </>
      )}
    </section>
  );
}

function summaryOf(answer: Answer | null, word: string | null): string {
  if (word === null) return 'Choose a word in the sentence.';
  if (!answer) return 'Linking … The first time takes longer: the GPU code is compiled.';
  const { question, found, milliseconds } = answer;
  const { inKnowledgeBase = null } = found[0] ?? {};
  const known =
    inKnowledgeBase === null
      ? ''
      : ` That what is meant is among the entities at all: ${percent(inKnowledgeBase)}.`;
  const took = milliseconds === null ? ' Stored result.' : ` Took ${Math.round(milliseconds)} ms.`;
  return `“${question.mention.word}”:${known}${took}`;
}

function Verdict({ example }: { example: Example }) {
  const { gold } = example;
  return isRight(example) ? (
    <p class="right">Right: this is what the sentence's author meant.</p>
  ) : (
    <p class="failure">
      A failure: meant is {gold.name} ({gold.attributes}).
    </p>
  );
}

interface EntityProps {
  pictures: Pictures;
  entity: Linked;
  place: number;
  all: readonly Linked[];
  /** Whether it is the right one of an example. */
  isGold: boolean;
  /** Whether the words that count for it are those that are shown. */
  isRead: boolean;
  onRead(): void;
}

function Entity({ pictures, entity, place, all, isGold, isRead, onRead }: EntityProps) {
  const { qid, name, attributes, score, probability } = entity;
  const thumbnail = useThumbnail(pictures, qid);
  return (
    <li class={isGold ? 'entity gold' : 'entity'}>
      {thumbnail ? (
        <img src={thumbnail} alt="" width={72} height={72} />
      ) : (
        <span class="blank" aria-hidden="true">
          no picture
        </span>
      )}
      <div>
        <h3>
          {place + 1}. {name} {isGold && <span class="badge">meant</span>}
        </h3>
        <p class="description">{attributes}</p>
        <p class="numbers">
          {probability !== null && (
            <>
              <strong>{percent(probability)}</strong>
              <meter
                value={probability}
                min={0}
                max={1}
                aria-label={`probability of ${name}, ${attributes}`}
              />
            </>
          )}
          <span>
            score <data value={score}>{score.toFixed(2)}</data>
          </span>
        </p>
        <Experts entity={entity} all={all} />
        {shownAttention(entity) && (
          <button type="button" class="read" aria-pressed={isRead} onClick={onRead}>
            Words that count
            <span class="unseen">
              {' '}
              for {place + 1}. {name}
            </span>
          </button>
        )}
      </div>
    </li>
  );
}

/** What each expert gives an entity, and where it alone would place it among those that are shown. */
function Experts({ entity, all }: { entity: Linked; all: readonly Linked[] }) {
  const { explanation, expert } = entity;
  if (!explanation) return null;
  const { experts, names } = explanation;
  return (
    <ul class="experts">
      {Object.entries(experts).map(([kind, score]) => (
        <li key={kind} class={kind === expert ? 'picked' : ''}>
          {kind} {score.toFixed(2)}, {ordinal(placeBy(kind, entity, all))}
          {kind === expert && ' (the gate’s choice)'}
        </li>
      ))}
      {names !== 0 && <li>its name is the word: +{names.toFixed(2)}</li>}
    </ul>
  );
}

function placeBy(kind: string, entity: Linked, all: readonly Linked[]): number {
  const scoreOf = ({ explanation }: Linked) => explanation!.experts[kind]!;
  return 1 + all.filter((other) => scoreOf(other) > scoreOf(entity)).length;
}

function Meaning() {
  return (
    <details>
      <summary>What the numbers mean</summary>
      <p>
        An entity's score is that of one expert, which the gate chooses for each pair of mention and entity;
        the place behind each expert's score is where that expert alone would put the entity among those
        shown. They differ because they look at different things: the text expert at the words alone, the
        visual one at the pictures alone, the multimodal one at words and pictures together. Something is
        added where the entity's name is the word, or nearly. Scores can be compared for one mention only; the
        percentages are the probability of being meant, if what is meant is among the entities at all.
      </p>
    </details>
  );
}

function percent(probability: number): string {
  return `${(100 * probability).toFixed(probability > 0.0995 ? 0 : 1)} %`;
}

function ordinal(place: number): string {
  const ending = place % 10 === 1 && place !== 11 ? 'st' : place % 10 === 2 && place !== 12 ? 'nd' : 'th';
  return `${place}${place % 10 === 3 && place !== 13 ? 'rd' : ending}`;
}

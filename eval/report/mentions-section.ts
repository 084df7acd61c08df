// Single mentions with what the system makes of them: picture, sentence, the first five entities.

import type { Dataset, Entity, Mention, Split } from '../../data/dataset.ts';
import { colourOf } from './charts.ts';
import {
  chooseFailures,
  chooseMentions,
  type Failure,
  failureRuleInWords,
  ruleInWords,
} from './choose-mentions.ts';
import { type Html, html } from './html.ts';
import { type Picture, readPicture } from './pictures.ts';
import type { Prediction } from './read-run.ts';

const tick = html` <span class="right" role="img" aria-label="the right entity">✓</span>`;

/** How many mentions are shown. */
const shown = 20;
const failuresShown = 10;

/**
 * The mentions that the rule chooses, each as a card; null without predictions. Throws one line when the
 * predictions belong to another data set.
 */
export async function mentionsSection(
  dataset: Dataset,
  split: Split,
  predictions: readonly Prediction[],
  system: string,
): Promise<Html | null> {
  if (predictions.length === 0) return null;
  const mentions = dataset.splits[split];
  const chosen = chooseMentions(
    predictions.map(({ mention, rank }) => ({
      kind: mentions[mention]!.kind ?? null,
      hasImage: mentions[mention]!.image !== null,
      isRight: rank <= 1,
    })),
    shown,
  );
  const entities = new Map(dataset.entities.map((entity) => [entity.qid, entity]));
  const cardsOf = async (numbers: readonly number[]): Promise<Html[]> => {
    const cards: Html[] = [];
    for (const number of numbers) {
      const prediction = predictions[number]!;
      cards.push(await card(prediction, mentions[prediction.mention]!, entities));
    }
    return cards;
  };
  const failed = chooseFailures(failuresOf(predictions, mentions), failuresShown);
  return html`<h2>${chosen.length} mentions</h2>
<p>As ${system} ranks them. ${ruleInWords} The right entity is marked with a tick and a bar at its left; if it
is not among the first five, the last line gives its rank.</p>
<div class="cards">${await cardsOf(chosen)}</div>
${
  failed.length === 0
    ? null
    : html`<h2>${failed.length} failures to learn from</h2>
<p>${failureRuleInWords}</p>
<div class="cards">${await cardsOf(failed)}</div>`
}`;
}

/** Wrong first choices whose right entity is shown as well. */
function failuresOf(predictions: readonly Prediction[], mentions: readonly Mention[]): Failure[] {
  return predictions.flatMap(({ mention, answer, rank, top }, number) => {
    const right = top.find(({ qid }) => qid === answer);
    if (rank <= 1 || !right) return [];
    const { word, kind = null } = mentions[mention]!;
    return [{ number, kind, word, lead: top[0]!.score - right.score }];
  });
}

async function card(
  prediction: Prediction,
  mention: Mention,
  entities: ReadonlyMap<string, Entity>,
): Promise<Html> {
  const { rank, answer, top } = prediction;
  const verdict =
    rank <= 1
      ? html`<span class="verdict right">✓ right</span>`
      : html`<span class="verdict wrong">✗ wrong: the answer has rank ${rankText(rank)}</span>`;
  const rows: Html[] = [];
  for (const [i, { qid, name, score, expert }] of top.entries()) {
    rows.push(await row(`${i + 1}`, name, entities.get(qid), score, expert, qid === answer));
  }
  if (!top.some(({ qid }) => qid === answer)) {
    const gold = entities.get(answer);
    rows.push(await row(rankText(rank), gold?.name ?? answer, gold, null, null, true));
  }
  return html`<article class="card"><div class="mention">
${picture(await readPicture(mention.image), `Picture of the mention ${mention.word}`, '')}
<div>${verdict}
<h3>${mention.word}</h3>${mention.kind ? html`<p class="muted">${mention.kind}</p>` : null}<p>${marked(mention.sentence, mention.word)}</p></div></div>
<ol class="ranking">${rows}</ol></article>\n`;
}

async function row(
  place: string,
  name: string,
  entity: Entity | undefined,
  score: number | null,
  expert: string | null,
  isGold: boolean,
): Promise<Html> {
  const image = await readPicture(entity?.images[0] ?? null);
  return html`<li class="${isGold ? 'gold' : ''}"><span class="place">${place}</span>
${picture(image, '', 'small')}
<span class="entity">${name}${isGold ? tick : null}
<span class="attributes" title="${entity?.attributes ?? ''}">${entity?.attributes ?? ''}</span></span>
<span class="score">${score === null ? '' : score.toFixed(2)}${
    expert === null ? null : html`<span style="color:${colourOf(expert)}">${expert}</span>`
  }</span></li>\n`;
}

function picture(found: Picture, alt: string, size: string): Html {
  if ('uri' in found) return html`<img class="picture ${size}" src="${found.uri}" alt="${alt}">`;
  const text = size === 'small' ? (found.problem === 'no picture' ? 'none' : 'bad') : found.problem;
  return html`<span class="picture none ${size}" title="${found.problem}">${text}</span>`;
}

/** The sentence with the word marked wherever it occurs as a whole word. */
function marked(sentence: string, word: string): Html[] {
  const pattern = new RegExp(
    `(?<![\\p{L}\\p{N}])(${word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')})(?![\\p{L}\\p{N}])`,
    'giu',
  );
  return sentence.split(pattern).map((part, i) => (i % 2 === 1 ? html`<mark>${part}</mark>` : html`${part}`));
}

/** Ties give halves. */
function rankText(rank: number): string {
  return Number.isInteger(rank) ? `${rank}` : rank.toFixed(1);
}

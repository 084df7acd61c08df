// The report's figures: headline, table beside the paper's, systems with and without an image, what the gate
// chose.

import { type Mention, type MentionKind, mentionKinds } from '../../data/entity-mention.ts';
import type { Metrics } from '../../ranking/metrics.ts';
import { table1 } from '../paper.ts';
import { cells, hasNames, metricColumns, type Results, systemsOf, titleOf } from '../results.ts';
import { choiceChart, colourOf, systemChart } from './charts.ts';
import { type Html, html } from './html.ts';
import type { Prediction } from './read-run.ts';
import { answeringSystem, comparePair, hits1, oracleHits1, standardError } from './summary.ts';

export interface ResultsInput {
  results: Results;
  predictions: readonly Prediction[];
  /** Of the split, by number. */
  mentions: readonly Mention[];
}

/** The figures that a reader wants first. */
export function headline({ results, predictions }: ResultsInput): Html {
  const { systems, mentions, entities } = results;
  const best = bestExpert(results);
  const tile = (title: string, metrics: Metrics | undefined) => {
    if (!metrics) return null;
    const error = standardError(metrics['hits@1'], mentions);
    const value = html`${metrics['hits@1'].toFixed(1)} <small>± ${error.toFixed(1)}</small>`;
    return html`<div><dt>${title}, H@1</dt><dd>${value}</dd></div>`;
  };
  const answering = answeringSystem(predictions) ?? (systems['dsmip'] ? 'dsmip' : best);
  const main = answering === null ? undefined : systems[answering];
  const mrr =
    main === undefined
      ? null
      : html`<div><dt>${capital(titleOf(answering!))}, MRR</dt><dd>${main.mrr.toFixed(1)}</dd></div>`;
  return html`<dl class="tiles">
${tile('DSMIP', systems['dsmip'])}
${best === null ? null : tile(capital(titleOf(best)), systems[best])}
${tile('Plain mean', systems['mean'])}
${mrr}
<div><dt>Mentions / entities</dt><dd>${number(mentions)} <small>/ ${number(entities)}</small></dd></div>
</dl>
${best === null ? null : verdict(results, predictions, best)}
<p class="muted">H@1: percent of mentions whose right entity came first among all entities of the knowledge
base; ± one standard error for this number of mentions.</p>`;
}

/** Whether the gate paid, in words and with the counts that say so. */
function verdict({ systems, gate }: Results, predictions: readonly Prediction[], best: string): Html | null {
  if (!systems['dsmip'] || !gate || predictions.length === 0) return null;
  const { onlyOne: gained, onlyOther: lost } = comparePair(predictions, 'dsmip', best);
  // The standard error of a difference of paired counts.
  const [difference, error] = [gained - lost, Math.sqrt(gained + lost)];
  const oracle = oracleHits1(predictions, gate.experts);
  const pays =
    Math.abs(difference) <= 2 * error
      ? 'a difference that chance alone can make'
      : `more than chance makes: the gate ${difference > 0 ? 'pays' : 'costs'}`;
  return html`<p>Against its best expert alone, DSMIP gains ${gained} mentions and loses ${lost}${
    gained + lost === 0 ? '' : `, ${pays}`
  }. Choosing the better of the gate's experts (${gate.experts.join(', ')}) for every mention would give H@1
${oracle.toFixed(1)}.</p>`;
}

/** All metrics of all systems, and the paper's. */
export function resultsTable({ results }: ResultsInput): Html {
  const names = systemsOf(results);
  const isBest = (metric: keyof Metrics, name: string) => {
    const values = names.map((other) => results.systems[other]![metric]);
    return results.systems[name]![metric] === (metric === 'mr' ? Math.min(...values) : Math.max(...values));
  };
  const ours = names.map((name) => {
    const texts = cells(results.systems[name]!);
    const columns = metricColumns.map(([metric], i) =>
      isBest(metric, name) ? html`<td class="best">${texts[i]!}</td>` : html`<td>${texts[i]!}</td>`,
    );
    return html`<tr><th scope="row">${swatch(name)}${titleOf(name)}</th>${columns}</tr>\n`;
  });
  const theirs = Object.entries(table1).map(([data, { DSMIP }]) => {
    const columns = cells(DSMIP).map((text) => html`<td>${text === '-' ? '–' : text}</td>`);
    return html`<tr><th scope="row">${data}</th>${columns}</tr>\n`;
  });
  return html`<div class="scroll"><table>
<caption><span class="wide">Percent, but for MR, the mean rank of the right entity (less is better). Bold: the
best of the column.</span></caption>
<thead>${headRow(['System', ...metricColumns.map(([, title]) => title)])}</thead>
<tbody>${ours}</tbody>
<tbody class="paper"><tr><th scope="rowgroup" colspan="${metricColumns.length + 1}"><span class="wide">
The paper's DSMIP on its own data sets: other and larger data, a larger encoder. For orientation, not to be
compared number by number.</span></th></tr>
${theirs}</tbody>
</table></div>
${parameterLine(results)}`;
}

function parameterLine({ parameters }: Results): Html | null {
  const parts = Object.entries(parameters).map(([name, count]) => `${name} ${number(count)}`);
  return parts.length === 0 ? null : html`<p class="muted">Trained parameters: ${parts.join(', ')}.</p>`;
}

/** What a reader calls the kinds of mentions. */
const kindTitles: Readonly<Record<MentionKind, string>> = {
  gloss: 'Dictionary glosses',
  sentence: 'Ordinary sentences',
};

/** H@1 and MRR of the systems by kind of mentions; null for a data set without kinds. */
export function kindSection({ results }: Pick<ResultsInput, 'results'>): Html | null {
  const kinds = mentionKinds.flatMap((kind) => {
    const found = results.kinds[kind];
    if (!found) return [];
    const systems = systemsOf(found).map((name) => {
      const percent = found.systems[name]!['hits@1'];
      return { name, title: titleOf(name), hits1: percent, error: standardError(percent, found.mentions) };
    });
    return [{ title: kindTitles[kind], found, systems }];
  });
  if (kinds.length === 0) return null;
  const top = Math.min(100, 10 * Math.ceil(Math.max(...kinds.flatMap(topsOf)) / 10));
  const figures = kinds.map(({ title, found, systems }) => {
    const values = systems.map((system) => `${system.title} ${system.hits1.toFixed(1)}`).join(', ');
    return html`<figure><h3>${title} (${found.mentions})</h3>${systemChart(`H@1, ${title}: ${values}`, systems, top)}</figure>\n`;
  });
  const rows = systemsOf(results).map(
    (name) =>
      html`<tr><th scope="row">${swatch(name)}${titleOf(name)}</th>${kinds.map(({ found }) => {
        const metrics = found.systems[name];
        return [metrics?.['hits@1'], metrics?.mrr].map(
          (value) => html`<td>${value === undefined ? '–' : value.toFixed(2)}</td>`,
        );
      })}</tr>\n`,
  );
  const columns = kinds.flatMap(({ title }) => [`${title}: H@1`, 'MRR']);
  return html`<h2>By kind of mention</h2>
<p>A gloss is a definition or an example of the dictionary that the knowledge base is made of, and so close to it in style; an
ordinary sentence is what a linker meets. H@1 by system; the lines are one standard error to each side.</p>
<div class="charts">${figures}</div>
<div class="scroll"><table><thead>${headRow(['System', ...columns])}</thead><tbody>${rows}</tbody></table></div>`;
}

/** H@1 of the systems on all mentions and on those with and without an image; null without predictions. */
export function imageSection({ results, predictions, mentions }: ResultsInput): Html | null {
  const hasImage = ({ mention }: Prediction) => mentions[mention]!.image !== null;
  const groups: [string, Prediction[]][] = [
    ['All mentions', [...predictions]],
    ['With an image', predictions.filter(hasImage)],
    ['Without an image', predictions.filter((prediction) => !hasImage(prediction))],
  ];
  const measured = groups.map(([title, group]) => {
    const systems = systemsOf(results).flatMap((name) => {
      const percent = hits1(group, name);
      if (percent === null) return [];
      return [{ name, title: titleOf(name), hits1: percent, error: standardError(percent, group.length) }];
    });
    return { title, count: group.length, systems };
  });
  if (measured[0]!.systems.length === 0) return null;
  const top = Math.min(100, 10 * Math.ceil(Math.max(...measured.flatMap(topsOf)) / 10));
  const figures = measured
    .filter(({ systems }) => systems.length > 0)
    .map(({ title, count, systems }) => {
      const values = systems.map((system) => `${system.title} ${system.hits1.toFixed(1)}`).join(', ');
      const chart = systemChart(`H@1, ${title}: ${values}`, systems, top);
      return html`<figure><h3>${title} (${count})</h3>${chart}</figure>\n`;
    });
  return html`<h2>With and without an image</h2>
<p>H@1 by system; the lines are one standard error to each side. A gate can pay where the order of the experts
differs from one group to the other.</p>
<div class="charts">${figures}</div>`;
}

function topsOf({ systems }: { systems: readonly { hits1: number; error: number }[] }): number[] {
  return systems.map(({ hits1, error }) => hits1 + error);
}

/** What the gate picked, or which shares it gave; null for a run without one. */
export function gateSection({ results, predictions }: ResultsInput): Html | null {
  const { gate } = results;
  if (!gate) return null;
  const { experts, picked } = gate;
  const shares = (of: Readonly<Record<string, number>>) =>
    experts.map((expert) => ({ expert, percent: of[expert] ?? 0 }));
  const chosen = predictions.flatMap(({ expert }) => expert ?? []);
  const gold = Object.fromEntries(
    experts.map((expert) => [
      expert,
      (100 * chosen.filter((other) => other === expert).length) / Math.max(1, chosen.length),
    ]),
  );
  const groups = [
    { title: 'all pairs', shares: shares(picked.overall), isThere: true },
    { title: 'mention with its answer', shares: shares(gold), isThere: chosen.length > 0 },
    { title: 'mention has no image', shares: shares(picked.mentionWithoutImage), isThere: true },
    { title: 'entity has no image', shares: shares(picked.entityWithoutImage), isThere: true },
    ...mentionKinds.flatMap((kind) => {
      const of = results.kinds[kind]?.picked;
      return of ? [{ title: kindTitles[kind].toLowerCase(), shares: shares(of.overall), isThere: true }] : [];
    }),
  ].filter((group) => group.isThere && group.shares.some(({ percent }) => percent > 0));
  const label = groups
    .map(
      (group) =>
        `${group.title}: ${group.shares.map((s) => `${s.expert} ${s.percent.toFixed(1)} %`).join(', ')}`,
    )
    .join('; ');
  const most = Math.max(0, ...Object.values(picked.overall));
  const does =
    gate.form === 'mixture'
      ? 'The gate mixes the probabilities that the experts give entities, for each mention in other shares; these are their means.'
      : (ofChoices[gate.by] ?? ofChoices['pair']!);
  return html`<h2>What the gate chose</h2>
<p>${does}${most > 99 ? ' Here it picked the same one nearly always: it has collapsed to a single expert.' : ''}</p>
<figure>${choiceChart(`Shares of the experts. ${label}`, groups)}</figure>
<ul class="legend">${experts.map((expert) => html`<li>${swatch(expert)}${expert}</li>`)}</ul>
<details><summary>The same in numbers</summary><div class="scroll"><table>
<thead>${headRow(['Pairs', ...experts])}</thead>
<tbody>${groups.map(
    (group) =>
      html`<tr><th scope="row">${group.title}</th>${group.shares.map(
        ({ percent }) => html`<td>${percent.toFixed(1)} %</td>`,
      )}</tr>\n`,
  )}</tbody></table></div></details>`;
}

/** Systems that are made of others. */
const combinations = ['mean', 'standardised-mean', 'fixed-mixture', 'dsmip'];

/** What a gate that chooses does, by what it chooses for. */
const ofChoices: Readonly<Record<string, string>> = {
  pair: 'The gate picks one expert for each pair of mention and entity.',
  mention: 'The gate picks one expert for each mention.',
  side: 'The gate picks text or both modalities for each mention, and again for each entity; the two make the expert of a pair.',
};

/** The best system that is no mixture of others, as far as the results tell. */
function bestExpert({ systems, gate }: Results): string | null {
  const experts = Object.keys(systems).filter(
    (name) => gate?.experts.includes(name) || (!combinations.includes(name) && !hasNames(name)),
  );
  if (experts.length === 0) return null;
  return experts.reduce((a, b) => (systems[b]!['hits@1'] > systems[a]!['hits@1'] ? b : a));
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

function headRow(titles: readonly string[]): Html {
  return html`<tr>${titles.map((title) => html`<th scope="col">${title}</th>`)}</tr>`;
}

function swatch(name: string): Html {
  return html`<span class="swatch" style="background:${colourOf(name)}" aria-hidden="true"></span>`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

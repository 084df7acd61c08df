// A comparison as one HTML file that needs nothing beside it.

import { paperFigures, paperSystems, table1 } from '../../paper.ts';
import { Html, html } from '../../report/html.ts';
import { style } from '../../report/style.ts';
import { metricColumns } from '../../results.ts';
import type { ComparedSystem, Comparison, MentionGroup } from '../comparison-file.ts';
import { significance } from '../paired-test.ts';
import { aboutSeeds, groupTitles, megabytes, paperColumns, recallLines } from '../table.ts';
import { imageChart } from './image-chart.ts';
import { pairSection } from './pair-section.ts';
import { type Dot, scatterChart } from './scatter.ts';

/** What the report's style has not. */
const ownStyle = `
body { max-width: 84rem; }
thead th { white-space: normal; vertical-align: bottom; }
th:first-child { white-space: normal; min-width: 8rem; max-width: 15rem; }
@media (min-width: 48rem) { th:first-child { min-width: 13rem; } }
td small { color: var(--muted); }
td.paper, th.paper { color: var(--muted); }
td.first, th.first { border-left: 1px solid var(--line); }
.pairs { font-size: .85rem; }
.pairs td { text-align: center; padding: .3rem .35rem; }
.pairs thead th:not(:first-child) { text-align: center; }
.pairs .better, .pairs .worse { font-weight: 700; background: var(--raised); }
.pairs .better { color: var(--right); } .pairs .worse { color: var(--wrong); }
.pairs .self { color: var(--muted); }
`;

/** The page; `comparison` must have a system. */
export function comparePage(comparison: Comparison): string {
  const { data, split, entities, mentions, device } = comparison;
  const title = `Systems compared on ${data}`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title><style>${new Html(style + ownStyle)}</style></head>
<body><header><h1>${title}</h1>
<p class="muted">${number(mentions.all!)} mentions of the ${split} split, each ranked against all ${number(entities)} entities. ${aboutSeeds(
    comparison,
  )} On ${device}.</p></header>
<main>${headline(comparison)}
<h2>Results</h2>${resultsTable(comparison)}
${groupSection(comparison)}
${pairSection(comparison)}
${costSection(comparison)}
${paperSection(comparison)}
</main></body></html>
`;
  return page.text;
}

function headline({ systems, pairs, mentions, entities }: Comparison): Html {
  const best = systems.reduce((a, b) => (hits1(b) > hits1(a) ? b : a));
  const real = pairs.filter(({ adjusted }) => adjusted < significance).length;
  const spread = best.spread?.all?.['hits@1'];
  return html`<dl class="tiles">
<div><dt>Best H@1: ${best.title}</dt><dd>${hits1(best).toFixed(1)}${
    spread === undefined ? null : html` <small>± ${spread.toFixed(1)}</small>`
  }</dd></div>
<div><dt>Systems</dt><dd>${systems.length}</dd></div>
${
  pairs.length === 0
    ? null
    : html`<div><dt>Differences that are real</dt><dd>${real} <small>of ${pairs.length}</small></dd></div>`
}
<div><dt>Mentions / entities</dt><dd>${number(mentions.all!)} <small>/ ${number(entities)}</small></dd></div>
</dl>`;
}

/** All metrics with their spread, and beside them the paper's where it has them. */
function resultsTable({ data, systems }: Comparison): Html {
  const paper = systems.map(({ name }) => paperFigures(data, name));
  const hasPaper = paper.some((figures) => figures !== null);
  const bests = metricColumns.map(([metric]) => {
    const values = systems.map(({ mean }) => mean.all![metric]);
    return metric === 'mr' ? Math.min(...values) : Math.max(...values);
  });
  const rows = systems.map(({ title, mean, spread }, row) => {
    const ours = metricColumns.map(([metric], i) => {
      const value = mean.all![metric];
      const name = value === bests[i] ? 'best' : '';
      return html`<td class="${name}">${value.toFixed(2)}${spreadText(spread?.all?.[metric])}</td>`;
    });
    const theirs = hasPaper
      ? paperColumns.map(
          ([metric], i) =>
            html`<td class="paper${i === 0 ? ' first' : ''}">${paper[row]?.[metric]?.toFixed(2) ?? '–'}</td>`,
        )
      : null;
    return html`<tr><th scope="row">${row + 1} ${title}</th>${ours}${theirs}</tr>\n`;
  });
  const heads = [
    html`<th scope="col">System</th>`,
    ...metricColumns.map(([, title]) => html`<th scope="col">${title}</th>`),
    ...(hasPaper
      ? paperColumns.map(
          ([, title], i) => html`<th scope="col" class="paper${i === 0 ? ' first' : ''}">Paper ${title}</th>`,
        )
      : []),
  ];
  return html`<div class="scroll"><table>
<caption><span class="wide">Percent, but for MR, the mean rank of the right entity (less is better). Bold: the best of the
column.</span></caption>
<thead><tr>${heads}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** H@1 and MRR by kind of mention, and with and without an image; null where all mentions are of one group. */
function groupSection({ systems, mentions }: Comparison): Html | null {
  const groups = (Object.keys(mentions) as MentionGroup[]).filter((group) => group !== 'all');
  if (groups.length === 0) return null;
  const rows = systems.map(
    ({ title, mean, spread }, i) =>
      html`<tr><th scope="row">${i + 1} ${title}</th>${groups.map(
        (group) =>
          html`<td class="first">${mean[group]!['hits@1'].toFixed(2)}${spreadText(
            spread?.[group]?.['hits@1'],
          )}</td><td>${mean[group]!.mrr.toFixed(2)}</td>`,
      )}</tr>\n`,
  );
  const heads = groups.map((group) => {
    const title = `${capital(groupTitles[group])} (${number(mentions[group]!)}): H@1`;
    return html`<th scope="col" class="first">${title}</th><th scope="col">MRR</th>`;
  });
  return html`<h2>By kind of mention, with and without an image</h2>
${imageFigure(systems)}
<div class="scroll"><table><thead><tr><th scope="col">System</th>${heads}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** Null where all mentions have an image, or none. */
function imageFigure(systems: readonly ComparedSystem[]): Html | null {
  const dots = systems.flatMap((system, i) => {
    const { image, 'no image': without } = system.mean;
    if (!image || !without) return [];
    const title = `${i + 1} ${system.name}`;
    return [{ title, image: image['hits@1'], noImage: without['hits@1'], isDsmip: isDsmip(system) }];
  });
  if (dots.length === 0) return null;
  const said = dots.map(
    ({ title, image, noImage }) => `${title} ${image.toFixed(1)} / ${noImage.toFixed(1)}`,
  );
  return html`<figure>${imageChart(`H@1 with / without an image: ${said.join(', ')}`, dots)}
<figcaption>H@1 of mentions with an image (full dots) and without (open dots).</figcaption></figure>`;
}

function costSection({ systems, entities, mentions }: Comparison): Html {
  const charts: [string, string, (system: ComparedSystem) => number][] = [
    ['Trained parameters', 'trained parameters', ({ parameters }) => parameters],
    [
      'Seconds for the knowledge base',
      'seconds to encode it and to rank the split',
      ({ costs }) => costs.encode + costs.rank,
    ],
    ['Bytes an entity in an index', 'bytes an entity', ({ bytesPerEntity }) => bytesPerEntity],
  ];
  const figures = charts.map(([title, unit, of]) => {
    const dots = systems.map(
      (system, i): Dot => ({
        number: i + 1,
        title: system.title,
        x: of(system),
        y: hits1(system),
        isDsmip: isDsmip(system),
      }),
    );
    const said = dots.map((dot) => `${dot.title} ${dot.y.toFixed(1)} at ${number(+dot.x.toPrecision(3))}`);
    return html`<figure><h3>${title}</h3>${scatterChart(`H@1 against ${unit}: ${said.join(', ')}`, unit, dots)}</figure>\n`;
  });
  const rows = systems.map(({ title, parameters, bytesPerEntity, costs }, i) => {
    const texts = [
      number(parameters),
      costs.train?.toFixed(1) ?? '-',
      costs.encode.toFixed(2),
      costs.rank.toFixed(2),
      costs.mention.toFixed(2),
      number(bytesPerEntity),
      megabytes(costs.trainBytes),
      megabytes(costs.rankBytes),
    ];
    return html`<tr><th scope="row">${i + 1} ${title}</th>${texts.map((text) => html`<td>${text === '-' ? '–' : text}</td>`)}</tr>\n`;
  });
  const heads = [
    'System',
    'Trained parameters',
    'Training,\u00a0s',
    'Encoding,\u00a0s',
    'Ranking,\u00a0s',
    'ms a mention',
    'Bytes an entity',
    'Training,\u00a0MB',
    'Ranking,\u00a0MB',
  ];
  return html`<h2>What it takes</h2>
<p>H@1 against three costs, each on a logarithmic scale. The numbers are those of the tables; diamonds are DSMIP and its
experts, circles the systems that it is compared with.</p>
<div class="charts">${figures}</div>
<div class="scroll"><table>
<thead><tr>${heads.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>
<p class="muted">Training: its steps and validations; what several systems share, such as features of frozen encoders, is not in it.
Encoding: all ${number(entities)} entities once, by a part of them, with nothing from a cache. Ranking: all ${number(mentions.all!)}
mentions against them then. Bytes: queries of tokens in int8, the rest in float16. MB: the most on the device at a time.
Means over the seeds. ${recallLines(systems).join(' ')}</p>`;
}

/** Table 1, for orientation. */
function paperSection({ data, systems }: Comparison): Html {
  const isTheirs = systems.some(({ name }) => paperFigures(data, name) !== null);
  const sets = Object.entries(table1);
  const rows = paperSystems.map(
    (system) =>
      html`<tr><th scope="row">${system}</th>${sets.map(([, figures]) =>
        paperColumns.map(
          ([metric], i) =>
            html`<td class="${i === 0 ? 'first' : ''}">${figures[system][metric]?.toFixed(2) ?? '–'}</td>`,
        ),
      )}</tr>\n`,
  );
  const heads = sets.map(([set]) =>
    paperColumns.map(
      ([, title], i) =>
        html`<th scope="col" class="${i === 0 ? 'first' : ''}">${i === 0 ? `${set}: ${title}` : title}</th>`,
    ),
  );
  const about = isTheirs
    ? 'How its baselines were run (encoder, template, loss, rate) is not published: numbers to stand beside, no recipe.'
    : 'Other and larger data, larger encoders: for orientation, not to be compared number by number.';
  return html`<h2>The paper's Table 1</h2>
<p>${about} Its eight baseline rows are those of MIMIC's readme, to the last digit.</p>
<div class="scroll"><table>
<thead><tr><th scope="col">System</th>${heads}</tr></thead><tbody class="paper">${rows}</tbody></table></div>`;
}

function spreadText(spread: number | undefined): Html | null {
  return spread === undefined ? null : html` <small>± ${spread.toFixed(2)}</small>`;
}

function hits1({ mean }: ComparedSystem): number {
  return mean.all!['hits@1'];
}

function isDsmip({ contender }: ComparedSystem): boolean {
  return contender === 'dsmip';
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

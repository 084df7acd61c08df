// A comparison as tables for a terminal: means and spreads, the paper's figures beside them on the paper's data sets, groups of
// mentions, costs.

import { paperFigures } from '../paper.ts';
import { metricColumns } from '../results.ts';
import { textTable } from '../text-table.ts';
import type { ComparedSystem, Comparison, MentionGroup } from './comparison-file.ts';
import { significance } from './paired-test.ts';

/** What a reader calls the groups of mentions. */
export const groupTitles: Readonly<Record<MentionGroup, string>> = {
  all: 'all',
  gloss: 'glosses',
  sentence: 'sentences',
  image: 'with an image',
  'no image': 'without an image',
};

/** Columns of Table 1. */
export const paperColumns = [
  ['hits@1', 'H@1'],
  ['hits@3', 'H@3'],
  ['hits@5', 'H@5'],
  ['mr', 'MR'],
] as const;

export function compareTables(comparison: Comparison): string[] {
  return [
    ...headLines(comparison),
    ...resultLines(comparison),
    ...groupLines(comparison),
    ...costLines(comparison),
    ...pairLines(comparison),
  ];
}

/** '68.92 ± 0.45'; one seed alone has no spread. */
function withSpread(mean: number, spread: number | undefined, digits = 2): string {
  return spread === undefined ? mean.toFixed(digits) : `${mean.toFixed(digits)} ± ${spread.toFixed(digits)}`;
}

/** What the figures are over, in words. */
export function aboutSeeds({ seeds, trainFraction, epochs }: Comparison): string {
  const over =
    seeds.length > 1
      ? `Mean ± standard deviation over ${seeds.length} seeds (${seeds.join(', ')}).`
      : `One seed (${seeds[0]}).`;
  const part =
    trainFraction < 1 ? ` Trained on ${+(100 * trainFraction).toFixed(2)} % of the training mentions.` : '';
  return `${over}${part}${epochs > 0 ? ` Every training has ${epochs} epoch${epochs > 1 ? 's' : ''}.` : ''}`;
}

function headLines(comparison: Comparison): string[] {
  const { data, split, mentions, entities } = comparison;
  return [
    `${data}, ${split}: ${mentions.all} mentions against ${entities} entities`,
    aboutSeeds(comparison),
    '',
  ];
}

function resultLines({ data, systems }: Comparison): string[] {
  const paper = systems.map(({ name }) => paperFigures(data, name));
  const hasPaper = paper.some((figures) => figures !== null);
  const header = [
    '',
    ...metricColumns.map(([, title]) => title),
    ...(hasPaper ? ['|', ...paperColumns.map(([, title], i) => (i === 0 ? `paper ${title}` : title))] : []),
  ];
  const rows = systems.map(({ title, mean, spread }, i) => [
    title,
    ...metricColumns.map(([metric]) => withSpread(mean.all![metric], spread?.all?.[metric])),
    ...(hasPaper ? ['|', ...paperColumns.map(([metric]) => paper[i]?.[metric]?.toFixed(2) ?? '-')] : []),
  ]);
  return textTable([header, ...rows]);
}

function groupLines({ systems, mentions }: Comparison): string[] {
  const groups = (Object.keys(mentions) as MentionGroup[]).filter((group) => group !== 'all');
  if (groups.length === 0) return [];
  const cell = ({ mean, spread }: ComparedSystem, group: MentionGroup) =>
    `${withSpread(mean[group]!['hits@1'], spread?.[group]?.['hits@1'])} / ${mean[group]!.mrr.toFixed(2)}`;
  const header = ['H@1 / MRR', ...groups.map((group) => `${groupTitles[group]} (${mentions[group]})`)];
  const rows = systems.map((system) => [system.title, ...groups.map((group) => cell(system, group))]);
  return ['', ...textTable([header, ...rows])];
}

function costLines({ systems }: Comparison): string[] {
  const header = [
    'What it takes',
    'trained numbers',
    'training s',
    'encoding s',
    'ranking s',
    'ms a mention',
    'bytes an entity',
    'MB training',
    'MB ranking',
  ];
  const rows = systems.map(({ title, parameters, bytesPerEntity, costs }) => [
    title,
    parameters.toLocaleString('en-US'),
    costs.train?.toFixed(1) ?? '-',
    costs.encode.toFixed(2),
    costs.rank.toFixed(2),
    costs.mention.toFixed(2),
    bytesPerEntity.toLocaleString('en-US'),
    megabytes(costs.trainBytes),
    megabytes(costs.rankBytes),
  ]);
  return [
    '',
    ...textTable([header, ...rows]),
    'Encoding: the whole knowledge base, once. Ranking: all mentions against it then. MB: on the device, at the peak.',
    ...recallLines(systems),
  ];
}

/** How often what a reranker puts in order has the right entity. */
export function recallLines(systems: readonly ComparedSystem[]): string[] {
  return systems.flatMap(({ title, recall }) =>
    recall === null
      ? []
      : [`${title}: the right entity is among the candidates of ${recall.toFixed(1)} % of the mentions.`],
  );
}

/** The pairs whose difference may be chance, where these are few; else those that are told apart. */
function pairLines({ systems, pairs }: Comparison): string[] {
  if (pairs.length === 0) return [];
  const titles = new Map(systems.map(({ name, title }) => [name, title]));
  const real = pairs.filter(({ adjusted }) => adjusted < significance);
  const other = pairs.filter(({ adjusted }) => !(adjusted < significance));
  const areFew = other.length <= Math.max(10, real.length);
  const shown = areFew ? other : real;
  const head = `${real.length} of ${pairs.length} differences in H@1 are real (paired randomisation test, p < ${significance} by Holm's correction)`;
  if (shown.length === 0) return ['', `${head}.`];
  const header = [areFew ? 'May be chance' : 'Real', 'points', '95 % interval', 'corrected p'];
  const rows = shown.map(({ a, b, difference, low, high, adjusted }) => [
    `${titles.get(a)} - ${titles.get(b)}`,
    signed(difference),
    `${signed(low)} to ${signed(high)}`,
    pText(adjusted),
  ]);
  return ['', `${head}:`, ...textTable([header, ...rows])];
}

/** In MB, with a digit behind the point where there is one before it; '-' for what is not known. */
export function megabytes(bytes: number | null): string {
  if (bytes === null) return '-';
  return bytes < 1e7 ? (bytes / 1e6).toFixed(1) : Math.round(bytes / 1e6).toLocaleString('en-US');
}

/** '+1.20' */
export function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${value.toFixed(2)}`;
}

export function pText(p: number): string {
  return p < 0.001 ? '< 0.001' : p.toFixed(3);
}

// An inspection as text for a terminal.

import { mentionKinds } from '../entity-mention.ts';
import type { Summary } from '../text/text-lengths.ts';
import type {
  Inspection,
  KnowledgeBaseInspection,
  Leakage,
  SplitCounts,
  UnlinkableCounts,
} from './inspect-dataset.ts';
import { paperSizes } from './inspect-paper.ts';

/**
 * The tables of an inspection, the paper's sizes beside ours where the data set is one of the paper's; of a knowledge base
 * alone those of its entities.
 */
export function report(found: Inspection | KnowledgeBaseInspection): string {
  const hasMentions = 'splits' in found;
  const parts = [
    [found.name],
    ...(hasMentions ? paperTable(found) : []),
    entityTable(found),
    hasMentions ? splitTable(found) : [],
    hasMentions ? pictureTable(found) : [],
    hasMentions ? unlinkableTable(found) : [],
    lengthTable(found),
    hasMentions ? leakageTable(found) : [],
    found.remarks.length > 0 ? ['Read all the same:', ...found.remarks.map((line) => `  ${line}`)] : [],
  ];
  return parts
    .filter((part) => part.length > 0)
    .map((part) => part.join('\n'))
    .join('\n\n');
}

function paperTable({ name, entities, splits }: Inspection): string[][] {
  const paper = paperSizes(name);
  if (paper === null) return [];
  const rows: [string, number, number][] = [
    ['mentions', splits.all.mentions, paper.mentions],
    ['samples (different sentences)', splits.all.samples, paper.samples],
    ['images of mentions (named)', splits.all.images, paper.mentionImages],
    ['entities', entities.entities, paper.entities],
    ['images of entities (entities with one)', entities.withImage, paper.entityImages],
    ['mentions, train', splits.train.mentions, paper.train],
    ['mentions, dev', splits.dev.mentions, paper.dev],
    ['mentions, test', splits.test.mentions, paper.test],
  ];
  const body = rows.map(([what, ours, theirs]) => [
    what,
    count(ours),
    count(theirs),
    ours === theirs ? '=' : `${ours > theirs ? '+' : '-'}${count(Math.abs(ours - theirs))}`,
  ]);
  const lines = table([['Tables 4 and 5', 'here', 'paper', 'difference'], ...body]);
  return [paper.note ? [...lines, `  (${paper.note})`] : lines];
}

function entityTable({ entities }: KnowledgeBaseInspection): string[] {
  const { firstMissingImage } = entities;
  return [
    ...table([
      ['Entities', count(entities.entities)],
      ['different names', count(entities.names)],
      ['names of several entities', count(entities.homonyms)],
      ['entities with the name of another one', count(entities.sharedName)],
      ['with the whole text of another one', count(entities.sharedText)],
      ['aliases', count(entities.aliases)],
      ['without description and attributes', count(entities.withoutAttributes)],
      ['without an image named', count(entities.entities - entities.withImage)],
      ['with an image named', count(entities.withImage)],
      ['with its first image in the folder', count(entities.firstImageFound)],
      ['images named', count(entities.images)],
      ['images missing', count(entities.missingImages)],
    ]),
    ...(firstMissingImage === null ? [] : [`  the first that is missing: ${firstMissingImage}`]),
  ];
}

function splitTable({ splits, nilAnswers }: Inspection): string[] {
  const columns = ['train', 'dev', 'test', 'all'] as const;
  const row = (what: string, field: Exclude<keyof SplitCounts, 'kinds'>): string[] => [
    what,
    ...columns.map((split) => count(splits[split][field])),
  ];
  const kinds = mentionKinds.filter((kind) => splits.all.kinds[kind] !== undefined);
  return table([
    ['Mentions', ...columns],
    row('mentions', 'mentions'),
    ...kinds.map((kind) => [
      `of kind ${kind}`,
      ...columns.map((split) => count(splits[split].kinds[kind] ?? 0)),
    ]),
    row('different sentences', 'samples'),
    row('different answers', 'answers'),
    row("whose word is the answer's name", 'wordIsName'),
    row('whose word is an alias of it', 'wordIsAlias'),
    row('duplicate rows', 'duplicates'),
    row('duplicate rows but for the image', 'duplicatesButImage'),
    row('without an image', 'withoutImage'),
    row('with a missing image', 'withMissingImage'),
    row('images named', 'images'),
    row('images missing', 'missingImages'),
    ['nil answers, skipped', '', '', '', count(nilAnswers)],
  ]);
}

/** Whether a mention's picture tells that its entity has one: where it does, a system may learn that instead of linking. */
function pictureTable({ pictures }: Inspection): string[] {
  const percent = (value: number | null) => (value === null ? '-' : `${value.toFixed(1)} %`);
  return table([
    ['Pictures', 'mentions', 'have one', 'entity has one, of these', 'of the others', 'bits'],
    ...pictures.map(({ split, kind, shortcut }) => [
      kind === 'all' ? split : `${split}, ${kind}`,
      count(shortcut.mentions),
      percent(shortcut.pictured),
      percent(shortcut.imagedOfPictured),
      percent(shortcut.imagedOfOthers),
      shortcut.bits.toFixed(3),
    ]),
  ]);
}

function unlinkableTable({ unlinkable }: Inspection): string[] {
  const columns = ['dev', 'test'] as const;
  if (columns.every((split) => unlinkable[split].mentions === 0)) return [];
  const kinds = mentionKinds.filter((kind) => columns.some((split) => unlinkable[split].kinds[kind]));
  const row = (what: string, numberOf: (counts: UnlinkableCounts) => number): string[] => [
    what,
    ...columns.map((split) => count(numberOf(unlinkable[split]))),
  ];
  return table([
    ['Unlinkable mentions', ...columns],
    row('mentions', ({ mentions }) => mentions),
    ...kinds.map((kind) => row(`of kind ${kind}`, (counts) => counts.kinds[kind] ?? 0)),
    row('entities that count as taken away', ({ answers }) => answers),
    row('of these with a homonym that stays', ({ answersWithHomonym }) => answersWithHomonym),
  ]);
}

function lengthTable({ lengths }: KnowledgeBaseInspection): string[] {
  const row = (what: string, { mean, median, p95, max }: Summary, cut: string[]): string[] => [
    what,
    mean.toFixed(1),
    String(median),
    count(p95),
    count(max),
    ...cut,
  ];
  const tokens = Object.values(lengths).some((each) => each.tokens !== null);
  const body = Object.entries(lengths).flatMap(([what, { texts, characters, words, tokens: found }]) => {
    const share = (cut: number): string => `${count(cut)} (${percent(cut, texts)})`;
    return [
      row(`${what}, characters`, characters, []),
      row(`${what}, words`, words, []),
      ...(found ? [row(`${what}, tokens`, found, [share(found.over[40]), share(found.over[77])])] : []),
    ];
  });
  const head = ['Lengths', 'mean', 'median', '95 %', 'longest', ...(tokens ? ['over 40', 'over 77'] : [])];
  return table([head, ...body]);
}

function leakageTable({ leakage }: Inspection): string[] {
  const pairs = Object.entries(leakage);
  const row = (what: string, field: keyof Leakage): string[] => [
    what,
    ...pairs.map(([, found]) => `${count(found[field])} (${percent(found[field], found.mentions)})`),
  ];
  return table([
    ['Mentions of the later split that share', ...pairs.map(([pair]) => pair.replace('-', ' / '))],
    row('an image', 'image'),
    row('a sentence', 'sentence'),
    row('an image or a sentence', 'imageOrSentence'),
    row('word and answer', 'wordAndAnswer'),
    row('the answer', 'answer'),
  ]);
}

/** Aligned columns, the first one to the left; rows after the head are indented. */
function table(rows: readonly (readonly string[])[]): string[] {
  const indented = rows.map(([first, ...rest], i) => [i === 0 ? first! : `  ${first}`, ...rest]);
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...indented.map((row) => row[column]?.length ?? 0)),
  );
  return indented.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[i]!))).join('  '),
  );
}

/** 109976 -> '109,976', in every locale. */
function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

function percent(part: number, whole: number): string {
  return `${whole === 0 ? '0.0' : ((100 * part) / whole).toFixed(1)} %`;
}

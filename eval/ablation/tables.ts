// The ablations as tables for a terminal: mean and spread over the seeds, the paper's figures beside them.

import type { Metrics } from '../../ranking/metrics.ts';
import { type PaperFigures, table2, table3 } from '../paper.ts';
import { textTable } from '../text-table.ts';
import type { CellResults } from './ablations.ts';
import { type AblationRow, cellName } from './cells.ts';

const metrics = ['hits@1', 'hits@3', 'hits@5', 'mrr', 'mr'] as const;
const titles = ['H@1', 'H@3', 'H@5', 'MRR', 'MR'];

/** Titles of Table 2's rows, with the row of cells and the system that each is taken from. */
const ablationLines: readonly [string, AblationRow, string, PaperFigures | null][] = [
  ['DSMIP', 'full', 'dsmip', table2.dsmip],
  ['text expert alone', 'full', 'text', table2.text],
  ['visual expert alone', 'full', 'visual', table2.visual],
  ['multimodal expert alone', 'full', 'multimodal', table2.multimodal],
  ['plain mean of the experts', 'full', 'mean', null],
  ['mean of their standardised scores', 'full', 'standardised-mean', null],
  ['fixed mixture of their probabilities', 'full', 'fixed-mixture', null],
  ['DSMIP, a mixture by confidence', 'mixture', 'dsmip', null],
  ['DSMIP, each side its own modality', 'side', 'dsmip', null],
  ['DSMIP without prompts', 'no-prompts', 'dsmip', table2['no-prompts']],
  ['multimodal alone without prompts', 'no-prompts', 'multimodal', null],
];

/** All tables that the finished cells of these seeds allow, with headings. */
export function ablationTables(cells: CellResults, seeds: readonly number[]): string[] {
  const tables = [table2Lines(cells, seeds), table3Lines(cells, seeds), lowResourceLines(cells, seeds)];
  return tables.filter((lines) => lines.length > 0).flatMap((lines) => ['', ...lines]);
}

function table2Lines(cells: CellResults, seeds: readonly number[]): string[] {
  const rows = ablationLines.flatMap(([title, row, system, paper]) => {
    const values = valuesOf(cells, seeds, row, system);
    if (values.length === 0) return [];
    const theirs = (['hits@1', 'hits@3', 'hits@5'] as const).map((name) => paper?.[name].toFixed(2) ?? '-');
    return [[title, ...metrics.map((name) => spread(values.map((value) => value[name]))), '|', ...theirs]];
  });
  if (rows.length === 0) return [];
  const header = ['Ablations (Table 2)', ...titles, '|', 'paper H@1', 'H@3', 'H@5'];
  return [...textTable([header, ...rows]), note(cells, seeds), "The paper's figures are those of WikiMEL."];
}

function table3Lines(cells: CellResults, seeds: readonly number[]): string[] {
  const lines: readonly [string, AblationRow, string][] = [
    ['CLIP fine-tuned', 'finetune', `${table3.finetune} M`],
    ['interactive prompts', 'full', `${table3.prompts} M`],
    ['frozen, no prompts', 'no-prompts', '-'],
  ];
  const rows = lines.flatMap(([title, row, paper]) => {
    const values = valuesOf(cells, seeds, row, 'multimodal');
    if (values.length === 0) return [];
    const parameters = resultsOf(cells, seeds, row)[0]!.parameters['multimodal'];
    const metricsTexts = metrics.map((name) => spread(values.map((value) => value[name])));
    return [[title, parameters?.toLocaleString('en-US') ?? '-', paper, ...metricsTexts]];
  });
  if (rows.length === 0) return [];
  return textTable([['Multimodal expert (Table 3)', 'parameters', 'paper', ...titles], ...rows]);
}

function lowResourceLines(cells: CellResults, seeds: readonly number[]): string[] {
  const systems = ['dsmip', 'multimodal', 'text', 'visual', 'mean'];
  const rows = systems.flatMap((system) => {
    const low = valuesOf(cells, seeds, 'low-resource', system);
    if (low.length === 0) return [];
    const full = valuesOf(cells, seeds, 'full', system);
    const [a, b] = [mean(low.map((value) => value['hits@1'])), mean(full.map((value) => value['hits@1']))];
    const decline = full.length === 0 ? '-' : `${(a - b).toFixed(2)} (${((100 * (a - b)) / b).toFixed(1)} %)`;
    return [[system, ...metrics.map((name) => spread(low.map((value) => value[name]))), decline]];
  });
  if (rows.length === 0) return [];
  return [
    ...textTable([['Low resource (Figures 3, 4)', ...titles, 'H@1 against all data'], ...rows]),
    'The paper shows this setting in figures only.',
  ];
}

function resultsOf(cells: CellResults, seeds: readonly number[], row: AblationRow) {
  return seeds.flatMap((seed) => cells[cellName(row, seed)] ?? []);
}

function valuesOf(cells: CellResults, seeds: readonly number[], row: AblationRow, system: string): Metrics[] {
  return resultsOf(cells, seeds, row).flatMap(({ systems }) => systems[system] ?? []);
}

function note(cells: CellResults, seeds: readonly number[]): string {
  const any = Object.values(cells)[0]!;
  const over = seeds.length > 1 ? `mean ± sample standard deviation over ${seeds.length} seeds` : 'one seed';
  return `${any.split} split, ${any.mentions} mentions, ${any.entities} entities; ${over}.`;
}

/** '68.92 ± 0.45'; one value alone has no spread. */
export function spread(values: readonly number[]): string {
  const m = mean(values);
  if (values.length < 2) return m.toFixed(2);
  const squares = values.reduce((sum, value) => sum + (value - m) ** 2, 0);
  return `${m.toFixed(2)} ± ${Math.sqrt(squares / (values.length - 1)).toFixed(2)}`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

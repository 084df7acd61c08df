// RUN/metrics.json, which eval/evaluate.ts writes: its form, a reader that checks it, and the table made of
// it.

import type { MentionKind } from '../data/entity-mention.ts';
import { InputError } from '../files/errors.ts';
import { parseCheckedJson } from '../files/json/checked-json.ts';
import { readText } from '../files/read-text.ts';
import type { PickedBy } from '../link/gate-choices.ts';
import { baselines } from '../model/baselines/registry.ts';
import type { Metrics } from '../ranking/metrics.ts';
import type { ConfidenceReport } from './names.ts';
import { type PaperFigures, table1 } from './paper.ts';
import { textTable } from './text-table.ts';

/** Raise it when the meaning of a field changes. */
export const metricsVersion = 3;

/** How an evaluation came out for the mentions of one kind. */
export interface KindResults {
  mentions: number;
  systems: Readonly<Record<string, Metrics>>;
  /** What the gate picked; null without one. */
  picked: PickedBy | null;
}

/** How one evaluation came out. `systems` has what the run had: baselines, experts, what they give together, DSMIP. */
export interface Results {
  split: string;
  mentions: number;
  entities: number;
  systems: Readonly<Record<string, Metrics>>;
  /** The same by kind of mentions; empty for a data set without kinds. */
  kinds: Readonly<Partial<Record<MentionKind, KindResults>>>;
  gate: {
    /** 'choice', or 'mixture': then what was picked are mean shares. */
    form: string;
    by: string;
    experts: readonly string[];
    picked: PickedBy;
  } | null;
  /** Of calibrated systems, how good their probabilities are. */
  confidence: Readonly<Record<string, ConfidenceReport>>;
  /** Trained numbers by expert, and of the gate. */
  parameters: Readonly<Record<string, number>>;
  /** Of evaluation, by system. */
  seconds: Readonly<Record<string, number>>;
  device: string;
  /** Hashes of what was evaluated: the data set and CLIP, and of the run best.safetensors by its folder. */
  madeFrom: { inputs: string; checkpoints: Readonly<Record<string, string>> };
  /** SHA-256 of the predictions.jsonl that was written with it. */
  predictions: string;
}

/** Systems that come first in tables, with what a reader calls them; others go by their own names. */
const systemTitles: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(baselines).map(([name, { title }]) => [name, title])),
  text: 'text expert',
  visual: 'visual expert',
  multimodal: 'multimodal expert',
  mean: 'plain mean',
  'standardised-mean': 'standardised mean',
  'fixed-mixture': 'equal mixture',
  dsmip: 'DSMIP',
};

/** Metrics in the order of tables: name, heading. */
export const metricColumns = [
  ['hits@1', 'H@1'],
  ['hits@3', 'H@3'],
  ['hits@5', 'H@5'],
  ['hits@10', 'H@10'],
  ['hits@20', 'H@20'],
  ['mrr', 'MRR'],
  ['mr', 'MR'],
] as const satisfies readonly (readonly [keyof Metrics, string])[];

/** The name of a system in whose scores names count. */
export function withNames(system: string): string {
  return system + namesSuffix;
}

/** Whether names count in the scores of the system of this name. */
export function hasNames(system: string): boolean {
  return system.endsWith(namesSuffix);
}

const namesSuffix = '+names';

/** What a reader calls a system. */
export function titleOf(system: string): string {
  if (hasNames(system)) return `${titleOf(system.slice(0, -namesSuffix.length))} + names`;
  return systemTitles[system] ?? system;
}

/** The systems that the results have, in the order of tables. */
export function systemsOf({ systems }: Pick<Results, 'systems'>): string[] {
  const known = Object.keys(systemTitles).flatMap((name) => [name, withNames(name)]);
  const own = Object.keys(systems);
  return [...known.filter((name) => own.includes(name)), ...own.filter((name) => !known.includes(name))];
}

/** Reads metrics.json. Throws InputError. */
export async function readResults(path: string): Promise<Results> {
  return parseResults(path, parseCheckedJson(path, await readText(path), metricsVersion, 'evaluate again'));
}

/** Checks what metrics.json has; `path` names it in errors. Throws InputError. */
export function parseResults(path: string, value: unknown): Results {
  const found = value as Results;
  const expect = (holds: boolean, field: string, what: string) => {
    if (!holds) throw new InputError({ file: path, field, expected: what });
  };
  expect(isRecord(found), 'content', 'an object');
  for (const field of ['mentions', 'entities'] as const) {
    expect(Number.isSafeInteger(found[field]), field, 'an integer');
  }
  expect(typeof found.split === 'string', 'split', 'a string');
  expect(isRecord(found.systems), 'systems', 'an object');
  const expectSystems = (of: Pick<Results, 'systems'>, where: string) => {
    for (const name of systemsOf(of)) {
      for (const [metric] of metricColumns) {
        const value = (of.systems[name] as Partial<Metrics>)[metric];
        expect(typeof value === 'number', `${where}systems: ${name}: ${metric}`, 'a number');
      }
    }
  };
  expectSystems(found, '');
  expect(isRecord(found.kinds), 'kinds', 'an object');
  for (const [kind, of] of Object.entries(found.kinds)) {
    expect(isRecord(of) && isRecord(of.systems), `kinds: ${kind}`, 'an object with systems');
    expect(Number.isSafeInteger(of.mentions), `kinds: ${kind}: mentions`, 'an integer');
    expectSystems(of, `kinds: ${kind}: `);
  }
  const { gate } = found;
  const parts = ['overall', 'mentionWithoutImage', 'entityWithoutImage'] as const;
  const isGate = (value: typeof gate) =>
    isRecord(value) && Array.isArray(value.experts) && parts.every((part) => isRecord(value.picked?.[part]));
  expect(gate === null || isGate(gate), 'gate', 'what it picked overall and without images');
  for (const field of ['parameters', 'seconds', 'confidence'] as const) {
    expect(isRecord(found[field]), field, 'an object');
  }
  const { madeFrom } = found;
  expect(
    isRecord(madeFrom) && typeof madeFrom.inputs === 'string' && isRecord(madeFrom.checkpoints),
    'madeFrom',
    'hashes of inputs and checkpoints',
  );
  expect(typeof found.predictions === 'string', 'predictions', 'a hash');
  expect(typeof found.device === 'string', 'device', 'a string');
  return found;
}

/** The results and, below them, the paper's on its three data sets, as lines of a table for a terminal. */
export function resultTable(results: Results): string[] {
  const header = ['', ...metricColumns.map(([, title]) => title)];
  const ours = systemsOf(results).map((name) => [titleOf(name), ...cells(results.systems[name]!)]);
  const theirs = Object.entries(table1).map(([data, { DSMIP }]) => [`  on ${data}`, ...cells(DSMIP)]);
  const paper = ["the paper's DSMIP, on other data:", ...metricColumns.map(() => '')];
  return [...textTable([header, ...ours, paper, ...theirs]), ...kindTable(results)];
}

/** H@1 and MRR by kind of mentions; nothing for a data set without kinds. */
function kindTable(results: Results): string[] {
  const kinds = Object.entries(results.kinds);
  if (kinds.length === 0) return [];
  const header = ['H@1 / MRR', ...kinds.map(([kind, { mentions }]) => `${kind} (${mentions})`)];
  const rows = systemsOf(results).map((name) => [
    titleOf(name),
    ...kinds.map(([, { systems }]) => hitsAndMrr(systems[name])),
  ]);
  return ['', ...textTable([header, ...rows])];
}

function hitsAndMrr(metrics: Metrics | undefined): string {
  return metrics ? `${metrics['hits@1'].toFixed(2)} / ${metrics.mrr.toFixed(2)}` : '-';
}

/** The metrics as text, in the order of `metricColumns`; a dash for what is not known. */
export function cells(metrics: Partial<Metrics> | PaperFigures): string[] {
  return metricColumns.map(([name]) => (metrics as Partial<Metrics>)[name]?.toFixed(2) ?? '-');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

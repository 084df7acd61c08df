// The cells of the ablations, row by seed, and the stages that fill each. Knows nothing of running them.

import { join } from 'node:path';
import { sideExperts } from '../../model/dsmip/dsmip-model.ts';
import { type ExpertKind, expertKinds } from '../../model/dsmip/experts.ts';
import type { Preset } from '../../train/config/presets.ts';
import { type Overrides, trainingStages, type WorkStage } from '../pipeline.ts';

/**
 * What can be left out or changed; the first is DSMIP itself with its single experts. The last two are other gates over the
 * same experts, additions of ours: a mixture of probabilities, and a choice of a modality for each side.
 */
export const ablationRows = ['full', 'no-prompts', 'finetune', 'low-resource', 'mixture', 'side'] as const;
export type AblationRow = (typeof ablationRows)[number];

export interface AblationOptions {
  preset: Preset;
  /** Folder of all cells. */
  run: string;
  rows: readonly AblationRow[];
  seeds: readonly number[];
  split: 'dev' | 'test';
  /** Part of the training mentions that the row 'low-resource' has. */
  fraction: number;
  /** Fields of both trainings, and of the gate's, that are not the preset's. */
  training: Overrides;
  gate: Overrides;
}

export interface Cell {
  /** 'full/seed-1': its folder below the run's, and its name. */
  name: string;
  stages: WorkStage[];
  /** Experts that another cell has trained just as this one would. */
  shared: { from: string; experts: readonly ExpertKind[] } | null;
}

/** The cells in the order to run them. `isFinished` tells of cells that earlier runs filled. */
export function cellsOf(options: AblationOptions, isFinished: (name: string) => boolean): Cell[] {
  const { rows, seeds } = options;
  const ordered = ablationRows.filter((row) => rows.includes(row));
  return ordered.flatMap((row) =>
    seeds.map((seed) => {
      const full = cellName('full', seed);
      return cellOf(options, row, seed, rows.includes('full') || isFinished(full) ? full : null);
    }),
  );
}

export function cellName(row: AblationRow, seed: number): string {
  return `${row}/seed-${seed}`;
}

/** `full`: the cell whose experts can be had, or null. */
function cellOf(options: AblationOptions, row: AblationRow, seed: number, full: string | null): Cell {
  const { preset, split, gate, training, fraction } = options;
  const { experts } = preset.gate;
  const name = cellName(row, seed);
  const needed: Record<AblationRow, readonly ExpertKind[]> = {
    full: expertKinds,
    'no-prompts': experts,
    finetune: ['multimodal'],
    'low-resource': experts,
    mixture: experts,
    side: sideExperts,
  };
  const unchanged: Partial<Record<AblationRow, readonly ExpertKind[]>> = {
    'no-prompts': experts.filter((kind) => kind !== 'multimodal'),
    mixture: experts,
    side: sideExperts.filter((kind) => expertKinds.includes(kind)),
  };
  const shared = full === null ? [] : (unchanged[row] ?? []);
  const multimodal = {
    'no-prompts': { 'expert.prompts.use': false },
    finetune: { 'expert.finetuneEncoder': true },
  };
  const stages = trainingStages({
    preset,
    run: join(options.run, name),
    experts: needed[row].filter((kind) => !shared.includes(kind)),
    hasGate: row !== 'finetune',
    calibrates: false,
    split,
    training: {
      ...training,
      'training.seed': seed,
      ...(row === 'low-resource' ? { 'training.trainFraction': fraction } : {}),
    },
    expert: row === 'no-prompts' || row === 'finetune' ? { multimodal: multimodal[row] } : {},
    gate: { ...gateOf(row, options), ...gate },
  });
  return {
    name,
    stages,
    shared: full !== null && shared.length > 0 ? { from: full, experts: shared } : null,
  };
}

/** What a row's gate is told besides. A mixture sees few numbers and trains in seconds. */
function gateOf(row: AblationRow, { training }: AblationOptions): Overrides {
  const balance = { 'training.balance': 0.1 };
  if (row === 'side') return { 'gate.by': 'side', 'gate.experts': [...sideExperts], ...balance };
  if (row !== 'mixture') return {};
  const epochs = training['training.epochs'] === undefined ? { 'training.epochs': 4 } : {};
  return { 'gate.form': 'mixture', 'gate.hidden': 16, ...epochs, ...balance };
}

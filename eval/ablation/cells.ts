// The cells of the ablations, row by seed, and the stages that fill each. Knows nothing of running them.

import { join } from 'node:path';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { expertKinds } from '../../model/dsmip/experts.ts';
import type { Preset } from '../../train/config/presets.ts';
import { type Overrides, trainingStages, type WorkStage } from '../pipeline.ts';

/** What can be left out or changed; the first is DSMIP itself with its single experts. */
export const ablationRows = ['full', 'no-prompts', 'finetune', 'low-resource'] as const;
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
  const trained = { full: expertKinds, 'low-resource': experts, finetune: ['multimodal'] as const };
  const unchanged = experts.filter((kind) => kind !== 'multimodal');
  const isShared = row === 'no-prompts' && full !== null;
  const own = isShared ? (['multimodal'] as const) : experts;
  const multimodal = {
    'no-prompts': { 'expert.prompts.use': false },
    finetune: { 'expert.finetuneEncoder': true },
  };
  const stages = trainingStages({
    preset,
    run: join(options.run, name),
    experts: row === 'no-prompts' ? own : trained[row],
    hasGate: row !== 'finetune',
    calibrates: false,
    split,
    training: {
      ...training,
      'training.seed': seed,
      ...(row === 'low-resource' ? { 'training.trainFraction': fraction } : {}),
    },
    expert: row === 'no-prompts' || row === 'finetune' ? { multimodal: multimodal[row] } : {},
    gate,
  });
  return { name, stages, shared: isShared ? { from: full, experts: unchanged } : null };
}

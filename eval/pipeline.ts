// The commands that make and judge one run: experts, gate, evaluation, report, with the flags of each.

import { join } from 'node:path';
import type { ExpertKind } from '../model/dsmip/experts.ts';
import type { Stage } from './stages.ts';

export interface Pipeline {
  /** Folder of the run. */
  run: string;
  /** Experts to train, in this order. */
  experts: readonly ExpertKind[];
  hasGate: boolean;
  split: string;
  /** Flags by who knows them: all; all but the report; both trainings; one command. */
  all: readonly string[];
  compute: readonly string[];
  training: readonly string[];
  expert: Readonly<Partial<Record<ExpertKind, readonly string[]>>>;
  gate: readonly string[];
}

/** The stages of training and evaluation. */
export function trainingStages(pipeline: Pipeline): Stage[] {
  const { run, all, compute, training } = pipeline;
  const common = ['--run', run, ...all, ...compute];
  const trainedFiles = (folder: string) =>
    ['best.safetensors', 'last.safetensors', 'metrics.jsonl'].map((file) => join(folder, file));
  const experts = pipeline.experts.map((kind) => ({
    name: `${kind} expert`,
    file: 'train/expert.ts',
    flags: ['--expert', kind, ...common, ...training, ...(pipeline.expert[kind] ?? [])],
    writes: trainedFiles(kind),
    resumes: true,
  }));
  const gate = {
    name: 'gate',
    file: 'train/gate.ts',
    flags: [...common, ...training, ...pipeline.gate],
    writes: trainedFiles('gate'),
    resumes: true,
  };
  const evaluation = {
    name: 'evaluation',
    file: 'eval/evaluate.ts',
    flags: [...common, '--split', pipeline.split, '--mean'],
    writes: ['metrics.json', 'predictions.jsonl'],
    resumes: false,
  };
  return [...experts, ...(pipeline.hasGate ? [gate] : []), evaluation];
}

/** The stage that makes the report of a run. */
export function reportStage({ run, all }: Pick<Pipeline, 'run' | 'all'>): Stage {
  return {
    name: 'report',
    file: 'eval/report.ts',
    flags: ['--run', run, ...all],
    writes: ['report.html'],
    resumes: false,
  };
}

// The stages that make and judge one run: experts, gate, calibration, evaluation, report, index, each with the configuration
// that it is told.

import { join } from 'node:path';
import type { Session } from '../link/session.ts';
import type { ExpertKind } from '../model/dsmip/experts.ts';
import { calibrate } from '../train/calibration/calibrate.ts';
import { type ConfigSchema, checkConfig, decidingValues, withValue } from '../train/config/check.ts';
import {
  calibrationConfigOf,
  expertConfigOf,
  gateConfigOf,
  type Preset,
  workConfigOf,
} from '../train/config/presets.ts';
import {
  type CalibrationConfig,
  calibrationSchema,
  type EvaluationConfig,
  type ExpertTraining,
  evaluationSchema,
  expertSchema,
  type GateTraining,
  gateSchema,
  type IndexConfig,
  indexSchema,
  type ReportConfig,
  reportSchema,
} from '../train/config/schemas.ts';
import { trainExpert } from '../train/experts/train-expert.ts';
import { trainGate } from '../train/gating/train-gate.ts';
import type { TrainingHooks } from '../train/hooks.ts';
import { trainingFiles } from '../train/staging.ts';
import { buildIndex } from './build-index.ts';
import { evaluate } from './evaluate.ts';
import type { Stage } from './stages.ts';
import { writeReport } from './write-report.ts';

/** What a stage does: a function of one of these, or a command. */
export type Work =
  | { kind: 'expert'; config: ExpertTraining }
  | { kind: 'gate'; config: GateTraining }
  | { kind: 'calibration'; config: CalibrationConfig }
  | { kind: 'evaluation'; config: EvaluationConfig }
  | { kind: 'report'; config: ReportConfig }
  | { kind: 'index'; config: IndexConfig };

export interface WorkStage extends Stage {
  work: Work;
}

/** Values by the paths of a configuration's fields, instead of the preset's. */
export type Overrides = Readonly<Record<string, unknown>>;

export interface Pipeline {
  preset: Preset;
  /** Folder of the run. */
  run: string;
  /** Experts to train, in this order. */
  experts: readonly ExpertKind[];
  hasGate: boolean;
  /** Whether to calibrate the gate's system, where names count. */
  calibrates: boolean;
  split: 'dev' | 'test';
  /** Of both trainings, of one expert's, of the gate's. */
  training: Overrides;
  expert: Readonly<Partial<Record<ExpertKind, Overrides>>>;
  gate: Overrides;
}

/** The stages of training and evaluation. Throws ConfigError. */
export function trainingStages(pipeline: Pipeline): WorkStage[] {
  const { preset, training, split } = pipeline;
  const common = { 'run.folder': pipeline.run };
  const experts = pipeline.experts.map((kind) => {
    const overrides = { ...common, ...training, ...pipeline.expert[kind] };
    const config = configured(expertSchema, expertConfigOf(preset, kind), overrides);
    return stage(`${kind} expert`, [], expertSchema, { kind: 'expert', config }, trainedFiles(kind));
  });
  const gate = () => {
    const overrides = { ...common, ...training, ...pipeline.gate };
    const config = configured(gateSchema, gateConfigOf(preset), overrides);
    const needs = config.gate.experts.map((kind) => `${kind} expert`);
    return stage('gate', needs, gateSchema, { kind: 'gate', config }, trainedFiles('gate'));
  };
  const evaluation = configured(evaluationSchema, workConfigOf(preset, 'evaluation'), {
    ...common,
    'evaluation.split': split,
    'evaluation.mean': true,
  });
  const files = ['metrics.json', 'predictions.jsonl'];
  const trainings = [...experts, ...(pipeline.hasGate ? [gate()] : [])];
  const names = trainings.map(({ name }) => name);
  const calibration = configured(calibrationSchema, calibrationConfigOf(preset), common);
  const calibrations =
    pipeline.calibrates && pipeline.hasGate && preset.names.use
      ? [
          stage('calibration', ['gate'], calibrationSchema, { kind: 'calibration', config: calibration }, [
            'calibration.json',
          ]),
        ]
      : [];
  const needs = [...names, ...calibrations.map(({ name }) => name)];
  return [
    ...trainings,
    ...calibrations,
    stage('evaluation', needs, evaluationSchema, { kind: 'evaluation', config: evaluation }, files),
  ];
}

/** The stage that makes the report of a run. */
export function reportStage({ preset, run }: Pick<Pipeline, 'preset' | 'run'>): WorkStage {
  const config = checkConfig(reportSchema, { data: preset.data, run: { folder: run } });
  return stage('report', ['evaluation'], reportSchema, { kind: 'report', config }, ['report.html']);
}

/**
 * The stage that builds the index of a finished run, where it is to stay: it says where its run is. What of it is there
 * already, of these weights and entities, is kept.
 */
export function indexStage({ preset, run }: Pick<Pipeline, 'preset' | 'run'>): WorkStage {
  const config = configured(indexSchema, workConfigOf(preset, 'index'), { 'run.folder': run });
  return stage('index', [], indexSchema, { kind: 'index', config }, []);
}

/** Does a stage's work on a session, which is opened for the first that needs it. */
export async function doWork(
  work: Work,
  session: () => Promise<Session>,
  hooks: TrainingHooks,
): Promise<void> {
  switch (work.kind) {
    case 'expert':
      await trainExpert(work.config, await session(), hooks);
      break;
    case 'gate':
      await trainGate(work.config, await session(), hooks);
      break;
    case 'calibration':
      await calibrate(work.config, await session(), hooks);
      break;
    case 'evaluation':
      await evaluate(work.config, await session(), hooks);
      break;
    case 'report':
      await writeReport(work.config);
      break;
    case 'index':
      await buildIndex(work.config, await session(), hooks);
      break;
    default:
      work satisfies never;
  }
}

/** A configuration with other values at some paths, checked. Throws ConfigError. */
export function configured<S extends ConfigSchema>(schema: S, base: object, overrides: Overrides) {
  const value = Object.entries(overrides).reduce((config, [path, own]) => withValue(config, path, own), base);
  return checkConfig(schema, value);
}

function stage(
  name: string,
  needs: readonly string[],
  schema: ConfigSchema,
  work: Work,
  writes: readonly string[],
): WorkStage {
  const { data, clip } = { clip: null, ...work.config };
  const settings = JSON.stringify([data, clip, ...decidingValues(schema, work.config)]);
  const resumes = work.kind === 'expert' || work.kind === 'gate';
  return { name, settings, work, writes, resumes, needs };
}

function trainedFiles(folder: string): string[] {
  return trainingFiles.map((file) => join(folder, file));
}

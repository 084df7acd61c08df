// Trainings for users: a configuration and an open session in, a checkpoint out. Presets are configurations that suit a data
// set; their fields may be changed one by one. In Node and Deno. What is not named here may change at any time.

export { openSession, type Session, type SessionOptions } from '../link/session.ts';
export { trainBaseline } from './baselines/train-baseline.ts';
export { calibrate } from './calibration/calibrate.ts';
export { type PretrainedClip, pretrainClip } from './clip-pretraining/pretrain-clip.ts';
export { ConfigError } from './config/check.ts';
export {
  baselineConfigOf,
  calibrationConfigOf,
  expertConfigOf,
  gateConfigOf,
  type Preset,
  type PresetName,
  presetNames,
  readPreset,
  readPresetFile,
} from './config/presets.ts';
export type { BaselineTraining, CalibrationConfig, ExpertTraining, GateTraining } from './config/schemas.ts';
export { trainExpert } from './experts/train-expert.ts';
export type { FitResult } from './fit.ts';
export { trainGate } from './gating/train-gate.ts';
export type { Hooks, Progress, TrainingHooks, WorkEvent } from './hooks.ts';

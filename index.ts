// dsmip for users: `import { openLinker } from 'dsmip'`. What most programs need; the entry points dsmip/engine, dsmip/model,
// dsmip/link and dsmip/train hold the rest. What is not named in one of these five files may change at any time.

export { Device, type DeviceOptions, EngineError, NoAdapterError, openDevice } from './engine/index.ts';
export { type BuiltIndex, buildIndex } from './eval/build-index.ts';
export { type EvaluationFiles, evaluate } from './eval/evaluate.ts';
export { writeReport } from './eval/write-report.ts';
export { type Linked, type Linker, type LinkMention, openLinker } from './link/index.ts';
export { InputError, WeightsError } from './model/index.ts';
export { workConfigOf } from './train/config/presets.ts';
export {
  ConfigError,
  expertConfigOf,
  gateConfigOf,
  type Hooks,
  openSession,
  type Preset,
  readPreset,
  readPresetFile,
  type Session,
  type SessionOptions,
  trainExpert,
  trainGate,
} from './train/index.ts';

// dsmip for users: `import { openLinker } from 'dsmip'`. What most programs need; the entry points dsmip/engine, dsmip/model,
// dsmip/link and dsmip/train hold the rest. What is not named in one of these five files may change at any time.

export { Device, type DeviceOptions, EngineError, NoAdapterError, openDevice } from './engine/index.ts';
export { type Linked, type Linker, type LinkMention, openLinker } from './link/index.ts';
export { InputError, WeightsError } from './model/index.ts';

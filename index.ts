// dsmip for users: `import { openLinker } from 'dsmip'`, in Node, Deno and the browser. What programs that link need; the entry
// points dsmip/engine, dsmip/model, dsmip/link, dsmip/train and dsmip/eval hold the rest. What is not named in one of these six
// files may change at any time.

export { Device, type DeviceOptions, EngineError, NoAdapterError, openDevice } from './engine/index.ts';
export { type Linked, type Linker, type LinkMention, openLinker } from './link/index.ts';
export { InputError, WeightsError } from './model/index.ts';

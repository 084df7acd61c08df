// Where a training stands, in one safetensors file: parameters, the moments of its optimisers, and as JSON in the file's
// metadata the configuration it was told, hashes of what it was made from, and the position. One file, so that one rename
// makes it whole.

import type { Adam, AdamState } from '../engine/nn/adam.ts';
import type { Random, RandomState } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import { WeightsError } from '../files/errors.ts';
import { openSafetensors, type Safetensors } from '../weights/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../weights/write-safetensors.ts';

/** The version of the files' form. Raise it when the metadata or the tensors' names change. */
const checkpointFormat = 2;

/** How far a training is. */
export interface Position {
  epoch: number;
  step: number;
  bestEpoch: number;
  /** Validation MRR of the best epoch, in percent. */
  bestMrr: number;
}

/** What a training's files say of where they come from. */
export interface Origin {
  /** The whole configuration. */
  config: object;
  /** Hashes of what it was made from, by name: other inputs make another training. */
  madeFrom: Readonly<Record<string, string>>;
}

export interface Training extends Origin {
  /** Values by the names of the fields that decide the result, of any configuration of this kind. */
  decidingValues: (config: object) => ReadonlyMap<string, unknown>;
  parameters: ReadonlyMap<string, Tensor>;
  /** What else its files keep: tensors that are computed once and not trained. */
  constants?: Readonly<Record<string, TensorToWrite>>;
  /** Optimisers by name. */
  adams: Readonly<Record<string, Adam>>;
}

/** What a checkpoint says beside its tensors. */
interface State {
  position: Position;
  random: RandomState;
  /** By optimiser. */
  steps: Record<string, number>;
}

/** A checkpoint is of another configuration or of other inputs. */
class OtherTrainingError extends WeightsError {
  override name = 'OtherTrainingError';
  /** The configuration's field that differs, as the message names it. */
  readonly fields: readonly string[];

  constructor(fields: readonly string[], message: string) {
    super(message);
    this.fields = fields;
  }
}

/** Writes all that a training needs to go on. Throws WeightsError when it cannot be written. */
export async function saveCheckpoint(
  path: string,
  { config, madeFrom, parameters, constants = {}, adams }: Training,
  position: Position,
  random: Random,
): Promise<void> {
  const tensors = { ...parameterTensors(parameters), ...constants };
  const steps: Record<string, number> = {};
  for (const [name, adam] of Object.entries(adams)) {
    const { step, m, v } = await adam.state();
    steps[name] = step;
    for (const [moment, values] of Object.entries({ m, v })) {
      for (const [parameter, data] of values) {
        tensors[`${name}.${moment}.${parameter}`] = { dtype: 'F32', shape: [data.length], data };
      }
    }
  }
  const state = JSON.stringify({ position, random: random.state(), steps });
  await writeSafetensors(path, tensors, { ...originText({ config, madeFrom }), state });
}

/** Writes the parameters alone, with their origin and what is to be known of them. Throws WeightsError. */
export async function saveParameters(
  path: string,
  {
    config,
    madeFrom,
    parameters,
    constants = {},
  }: Pick<Training, 'config' | 'madeFrom' | 'parameters' | 'constants'>,
  about: Readonly<Record<string, unknown>>,
): Promise<void> {
  await writeSafetensors(
    path,
    { ...parameterTensors(parameters), ...constants },
    {
      ...originText({ config, madeFrom }),
      about: JSON.stringify(about),
    },
  );
}

/**
 * Brings parameters and optimisers where the checkpoint is. Throws WeightsError for a damaged file and for one of
 * another training, naming the first field that differs; nothing is changed then.
 */
export async function restoreCheckpoint(
  path: string,
  training: Training,
): Promise<{ position: Position; random: RandomState }> {
  return withFile(path, async (file) => {
    checkOrigin(path, originOf(path, file), training);
    const state = jsonOf(path, file, 'state') as State;
    const values = await readParameters(path, file, training.parameters);
    for (const [name, adam] of Object.entries(training.adams)) {
      adam.restore(await readAdam(file, name, state.steps[name] ?? 0));
    }
    for (const [tensor, data] of values) tensor.device.write(tensor, data);
    return state;
  });
}

/** Reads parameters that `saveParameters` or `saveCheckpoint` wrote. Throws WeightsError. */
export async function loadParameters(path: string, parameters: ReadonlyMap<string, Tensor>): Promise<void> {
  const values = await withFile(path, (file) => readParameters(path, file, parameters));
  for (const [tensor, data] of values) tensor.device.write(tensor, data);
}

/** Where a file comes from and, of `saveParameters`, what it was told of the parameters. Throws WeightsError. */
export async function readAbout(
  path: string,
): Promise<Origin & { about: Readonly<Record<string, unknown>> }> {
  return withFile(path, async (file) => ({
    ...originOf(path, file),
    about: jsonOf(path, file, 'about') as Record<string, unknown>,
  }));
}

/** The same of a file whose tensors are all held against their checksums. Throws WeightsError. */
export async function readWholeAbout(path: string): ReturnType<typeof readAbout> {
  await withFile(path, async (file) => {
    for (const name of file.names) await file.verify(name);
  });
  return readAbout(path);
}

/** How far the training of a checkpoint was. Throws WeightsError. */
export async function readPosition(path: string): Promise<Position> {
  const { position } = await withFile(path, async (file) => jsonOf(path, file, 'state') as State);
  return position;
}

function originText({ config, madeFrom }: Origin): Record<string, string> {
  return {
    format: `${checkpointFormat}`,
    config: JSON.stringify(config),
    madeFrom: JSON.stringify(madeFrom),
  };
}

function originOf(path: string, file: Safetensors): Origin {
  const format = file.metadata['format'] ?? (file.metadata['settings'] === undefined ? 'none' : '1');
  if (format === 'none') throw new WeightsError(`${path}: is no checkpoint of a training`);
  if (format !== `${checkpointFormat}`) {
    throw new WeightsError(
      `${path}: is a checkpoint of format ${format}, this version reads format ${checkpointFormat}: train it again, ` +
        'or use the version that wrote it',
    );
  }
  return {
    config: jsonOf(path, file, 'config') as object,
    madeFrom: jsonOf(path, file, 'madeFrom') as Record<string, string>,
  };
}

function parameterTensors(parameters: ReadonlyMap<string, Tensor>): Record<string, TensorToWrite> {
  const tensors: Record<string, TensorToWrite> = {};
  for (const [name, tensor] of parameters) {
    tensors[name] = { dtype: 'F32', shape: tensor.shape, data: () => tensor.device.read<'f32'>(tensor) };
  }
  return tensors;
}

async function readParameters(path: string, file: Safetensors, parameters: ReadonlyMap<string, Tensor>) {
  const values = new Map<Tensor, Float32Array<ArrayBuffer>>();
  for (const [name, tensor] of parameters) {
    const { shape } = file.info(name);
    if (`${shape}` !== `${tensor.shape}`) {
      throw new WeightsError(`${path}: tensor '${name}': expected shape [${tensor.shape}], found [${shape}]`);
    }
    values.set(tensor, await file.readFloats(name));
  }
  return values;
}

async function readAdam(file: Safetensors, name: string, step: number): Promise<AdamState> {
  const state: AdamState = { step, m: new Map(), v: new Map() };
  for (const moment of ['m', 'v'] as const) {
    const prefix = `${name}.${moment}.`;
    for (const tensor of file.names.filter((tensor) => tensor.startsWith(prefix))) {
      state[moment].set(tensor.slice(prefix.length), await file.readFloats(tensor));
    }
  }
  return state;
}

function checkOrigin(path: string, found: Origin, { config, madeFrom, decidingValues }: Training): void {
  const [theirs, ours] = [decidingValues(found.config), decidingValues(config)];
  for (const [field, value] of ours) {
    if (JSON.stringify(theirs.get(field)) === JSON.stringify(value)) continue;
    throw new OtherTrainingError(
      [field],
      `${path}: belongs to a run with ${field} ${shown(theirs.get(field))}, this one has ${shown(value)}`,
    );
  }
  for (const name of new Set([...Object.keys(madeFrom), ...Object.keys(found.madeFrom)])) {
    if (found.madeFrom[name] === madeFrom[name]) continue;
    throw new OtherTrainingError([], `${path}: belongs to a run with other ${name} than this one has`);
  }
}

function shown(value: unknown): string {
  if (value === undefined) return '(none)';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function jsonOf(path: string, file: Safetensors, name: string): unknown {
  try {
    const value: unknown = JSON.parse(file.metadata[name] ?? '');
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw new WeightsError(`${path}: metadata: ${name}: expected a JSON object; is this a checkpoint?`);
}

async function withFile<T>(path: string, use: (file: Safetensors) => Promise<T>): Promise<T> {
  const file = await openSafetensors(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

// Where a training stands, in one safetensors file: parameters, the moments of its optimisers, and as JSON in the file's
// metadata the settings it belongs to and the position. One file, so that one rename makes it whole.

import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Adam, AdamState } from '../engine/nn/adam.ts';
import { Random, type RandomState } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import { WeightsError } from '../files/errors.ts';
import { openSafetensors, type Safetensors } from '../weights/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../weights/write-safetensors.ts';

/** What a run was started with, by the flags' names. A checkpoint goes with one of them only. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

/** How far a training is. */
export interface Position {
  epoch: number;
  step: number;
  bestEpoch: number;
  /** Validation MRR of the best epoch, in percent. */
  bestMrr: number;
}

export interface Training {
  settings: Settings;
  parameters: ReadonlyMap<string, Tensor>;
  /** What else the model is made of and nobody trains. */
  constants?: Readonly<Record<string, TensorToWrite>>;
  /** Optimisers by name. */
  adams: Readonly<Record<string, Adam>>;
}

/** Writes all that a training needs to go on. Throws WeightsError when it cannot be written. */
export async function saveCheckpoint(
  path: string,
  { settings, parameters, constants, adams }: Training,
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
  await writeSafetensors(path, tensors, { settings: JSON.stringify(settings), state });
}

/** Writes the parameters alone, with the settings and what is to be known of them. Throws WeightsError. */
export async function saveParameters(
  path: string,
  parameters: ReadonlyMap<string, Tensor>,
  settings: Settings,
  about: Readonly<Record<string, unknown>>,
  constants: Readonly<Record<string, TensorToWrite>> = {},
): Promise<void> {
  await writeSafetensors(
    path,
    { ...parameterTensors(parameters), ...constants },
    {
      settings: JSON.stringify(settings),
      about: JSON.stringify(about),
    },
  );
}

/** Where a training begins: at its last finished epoch, or fresh with the generator given. Throws as restoreCheckpoint. */
export async function beginTraining(
  { last, isResumed }: { last: string; isResumed: boolean },
  training: Training,
  fresh: Random,
): Promise<{ position: Position; random: Random }> {
  if (!isResumed) return { position: { epoch: 0, step: 0, bestEpoch: 0, bestMrr: -1 }, random: fresh };
  const { position, random } = await restoreCheckpoint(last, training);
  console.log(`resumed after epoch ${position.epoch}`);
  return { position, random: Random.restore(random) };
}

/** Saves a finished epoch, and its parameters as the best ones where validation says so; gives the new position. */
export async function endEpoch(
  { best, last }: { best: string; last: string },
  training: Training,
  before: Position,
  { epoch, step, dev }: { epoch: number; step: number; dev: { mrr: number } },
  random: Random,
): Promise<Position> {
  let position = { ...before, epoch, step };
  if (dev.mrr > before.bestMrr) {
    position = { ...position, bestEpoch: epoch, bestMrr: dev.mrr };
    const { parameters, settings, constants } = training;
    await saveParameters(best, parameters, settings, { epoch, dev }, constants);
  }
  await saveCheckpoint(last, training, position, random);
  return position;
}

/**
 * Brings parameters and optimisers where the checkpoint is. Throws WeightsError for a damaged file and for one of
 * other settings, naming the first that differs; nothing is changed then.
 */
export async function restoreCheckpoint(
  path: string,
  { settings, parameters, adams }: Training,
): Promise<{ position: Position; random: RandomState }> {
  return withFile(path, async (file) => {
    checkSettings(path, jsonOf(path, file, 'settings'), settings);
    const state = jsonOf(path, file, 'state') as {
      position: Position;
      random: RandomState;
      steps: Record<string, number>;
    };
    const values = await readParameters(path, file, parameters);
    for (const [name, adam] of Object.entries(adams)) {
      adam.restore(await readAdam(file, name, state.steps[name] ?? 0));
    }
    for (const [tensor, data] of values) tensor.device.write(tensor, data);
    return state;
  });
}

/**
 * Makes a run's folder ready and gives the paths of its files. What a kill left of half-written files goes, and unless
 * the run is resumed so do the results of an earlier one, which would pass for this one's.
 */
export async function openFolder(
  folder: string,
  resume: boolean,
): Promise<{ best: string; last: string; log: string; isResumed: boolean }> {
  await mkdir(folder, { recursive: true });
  const [best, last] = [join(folder, 'best.safetensors'), join(folder, 'last.safetensors')];
  for (const name of await readdir(folder)) {
    const isHalf = /^(best|last)\.safetensors\..*\.tmp$/.test(name);
    const isOld = !resume && /^(best|last)\.safetensors$/.test(name);
    if (isHalf || isOld) await rm(join(folder, name), { force: true });
  }
  // A run that was killed in its first epoch begins again.
  return { best, last, log: join(folder, 'metrics.jsonl'), isResumed: resume && existsSync(last) };
}

/** Reads parameters that `saveParameters` or `saveCheckpoint` wrote. Throws WeightsError. */
export async function loadParameters(path: string, parameters: ReadonlyMap<string, Tensor>): Promise<void> {
  const values = await withFile(path, (file) => readParameters(path, file, parameters));
  for (const [tensor, data] of values) tensor.device.write(tensor, data);
}

/** The settings and, of `saveParameters`, what it was told of the parameters. Throws WeightsError. */
export async function readAbout(
  path: string,
): Promise<{ settings: Settings; about: Readonly<Record<string, unknown>> }> {
  return withFile(path, async (file) => ({
    settings: jsonOf(path, file, 'settings') as Settings,
    about: jsonOf(path, file, 'about') as Record<string, unknown>,
  }));
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

function checkSettings(path: string, found: unknown, expected: Settings): void {
  const settings = (found ?? {}) as Record<string, unknown>;
  for (const name of new Set([...Object.keys(expected), ...Object.keys(settings)])) {
    if (settings[name] !== expected[name]) {
      throw new WeightsError(
        `${path}: belongs to a run with ${name} ${shown(settings[name])}, this one has ${shown(expected[name])}`,
      );
    }
  }
}

function shown(value: unknown): string {
  return value === undefined ? '(none)' : String(value);
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

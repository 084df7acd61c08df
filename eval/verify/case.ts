// A reference case: a folder with case.json {kind, config, tolerance} and tensors.safetensors, whose names begin
// with param/, input/, output/ and grad/ (d output/loss / d param). Parameters that lie elsewhere in the tree are named
// instead of copied: case.json's parameters {file, sha256}. Read completely and checked here.

import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Shape } from '../../engine/tensor.ts';
import { contentStamp } from '../../files/content-stamp.ts';
import { WeightsError } from '../../files/errors.ts';
import { openSafetensors, type Safetensors } from '../../weights/safetensors.ts';

/** A tensor on the host: float32, or int32 for masks, ids and choices. */
export interface HostTensor {
  shape: Shape;
  data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
}
export type HostTensors = ReadonlyMap<string, HostTensor>;

export interface Case {
  name: string;
  kind: string;
  config: CaseConfig;
  /** Largest error allowed, relative to the largest magnitude of the tensor. */
  tolerance: number;
  parameters: HostTensors;
  inputs: HostTensors;
  /** Expected values, under their full names: `output/loss`, `grad/text_projection.weight`. */
  expected: HostTensors;
}

interface ElsewhereParameters {
  /** Path from the case's folder. */
  file: string;
  sha256: string;
}

interface Description extends Pick<Case, 'kind' | 'config' | 'tolerance'> {
  parameters: ElsewhereParameters | null;
}

/** A case's config, its fields checked when they are asked for. */
export class CaseConfig {
  #file: string;
  #fields: Record<string, unknown>;

  constructor(file: string, fields: Record<string, unknown>) {
    this.#file = file;
    this.#fields = fields;
  }

  number(name: string): number {
    return this.get(name, 'a number', (value) => typeof value === 'number' && Number.isFinite(value));
  }

  get<T>(name: string, expected: string, fits: (value: unknown) => boolean): T {
    const value = this.#fields[name];
    if (!fits(value)) throw new WeightsError(`${this.#file}: config.${name} must be ${expected}`);
    return value as T;
  }
}

/** True when the folder is meant to be a case. */
export function isCase(folder: string): boolean {
  return ['case.json', 'tensors.safetensors'].some((file) => fs.existsSync(path.join(folder, file)));
}

/** Reads a case folder. Throws WeightsError naming the file and what is wrong with it. */
export async function readCase(folder: string): Promise<Case> {
  const description = path.join(folder, 'case.json');
  const { kind, config, tolerance, parameters } = readDescription(description);
  const sections = new Map<string, Map<string, HostTensor>>(
    ['param', 'input', 'output', 'grad'].map((section) => [section, new Map()]),
  );
  const file = path.join(folder, 'tensors.safetensors');
  const tensors = await openSafetensors(file);
  try {
    for (const full of tensors.names) {
      const slash = full.indexOf('/');
      const section = slash < 0 ? undefined : sections.get(full.slice(0, slash));
      if (!section) throw new WeightsError(`${file}: '${full}' is neither param/, input/, output/ nor grad/`);
      section.set(full.slice(slash + 1), await readTensor(tensors, full));
    }
  } finally {
    await tensors.close();
  }
  if (parameters) await readParameters(description, parameters, sections.get('param')!);
  const under = (section: string) =>
    [...sections.get(section)!].map(([name, t]) => [`${section}/${name}`, t] as const);
  const expected = new Map([...under('output'), ...under('grad')]);
  if (expected.size === 0) throw new WeightsError(`${file}: no output/ tensor to compare with`);
  return {
    name: path.basename(folder),
    kind,
    config,
    tolerance,
    parameters: sections.get('param')!,
    inputs: sections.get('input')!,
    expected,
  };
}

async function readTensor(tensors: Safetensors, name: string): Promise<HostTensor> {
  const { shape, dtype } = tensors.info(name);
  const isFloat = ['F32', 'F16', 'BF16'].includes(dtype);
  return { shape, data: isFloat ? await tensors.readFloats(name) : await tensors.readIntegers(name) };
}

/** Reads the parameters that a case only names; the reference saw exactly that file. */
async function readParameters(
  description: string,
  { file, sha256 }: ElsewhereParameters,
  into: Map<string, HostTensor>,
): Promise<void> {
  const where = path.join(path.dirname(description), file);
  if (!fs.existsSync(where)) throw new WeightsError(`${where}: no such file`);
  const found = await contentStamp(where);
  if (found !== sha256)
    throw new WeightsError(
      `${where}: not the weights of the case: expected SHA-256 ${sha256}, found ${found}`,
    );
  const tensors = await openSafetensors(where);
  try {
    for (const name of tensors.names) into.set(name, await readTensor(tensors, name));
  } finally {
    await tensors.close();
  }
}

function readDescription(file: string): Description {
  if (!fs.existsSync(file)) throw new WeightsError(`${file}: no such file`);
  let value: unknown;
  try {
    value = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new WeightsError(`${file}: not JSON (${(error as Error).message})`);
  }
  const { kind, config, tolerance, parameters = null } = (value ?? {}) as Record<string, unknown>;
  if (typeof kind !== 'string') throw new WeightsError(`${file}: kind must be a string`);
  if (typeof config !== 'object' || config === null)
    throw new WeightsError(`${file}: config must be an object`);
  if (typeof tolerance !== 'number' || !(tolerance > 0 && tolerance < 1)) {
    throw new WeightsError(`${file}: tolerance must be a number between 0 and 1`);
  }
  const elsewhere = parameters as ElsewhereParameters | null;
  if (elsewhere !== null && (typeof elsewhere.file !== 'string' || typeof elsewhere.sha256 !== 'string')) {
    throw new WeightsError(`${file}: parameters must have the strings file and sha256`);
  }
  return {
    kind,
    config: new CaseConfig(file, config as Record<string, unknown>),
    tolerance,
    parameters: elsewhere,
  };
}

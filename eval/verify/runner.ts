// Runs case folders and reports each tensor on a line.

import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Device } from '../../engine/device.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { WeightsError } from '../../files/errors.ts';
import { ParameterStore } from '../../model/parameter-store.ts';
import { type Case, isCase, readCase } from './case.ts';
import { type Comparison, compareResults } from './compare.ts';
import type { Kind, Results } from './kind.ts';

export interface Counts {
  passed: number;
  failed: number;
}

/**
 * Runs every case found in the folders: a folder is a case itself or holds cases. `print` gets a line for each
 * tensor. Whatever cannot be run counts as one failure and says why: a missing folder, a folder without cases,
 * a bad file, an unknown kind, an error thrown by a kind.
 */
export async function verifyFolders(
  device: Device,
  kinds: Readonly<Record<string, Kind>>,
  folders: readonly string[],
  print: (line: string) => void,
): Promise<Counts> {
  const counts = { passed: 0, failed: 0 };
  const fail = (line: string) => {
    counts.failed++;
    print(line);
  };
  for (const folder of folders) {
    const cases = findCases(folder);
    if (cases.length === 0)
      fail(`${folder}: ${fs.existsSync(folder) ? 'no cases in it' : 'no such folder'}  FAIL`);
    for (const file of cases) {
      const name = path.basename(file);
      try {
        for (const comparison of await verifyCase(device, kinds, file)) {
          counts[comparison.pass ? 'passed' : 'failed']++;
          print(lineOf(name, comparison));
        }
      } catch (error) {
        const isKnown = error instanceof WeightsError || error instanceof EngineError;
        fail(`${name}  ${isKnown ? error.message : (error as Error).stack}  FAIL`);
      }
    }
  }
  return counts;
}

function findCases(folder: string): string[] {
  if (isCase(folder)) return [folder];
  if (!fs.existsSync(folder) || !fs.statSync(folder).isDirectory()) return [];
  return fs
    .readdirSync(folder)
    .sort()
    .map((name) => path.join(folder, name))
    .filter(isCase);
}

async function verifyCase(
  device: Device,
  kinds: Readonly<Record<string, Kind>>,
  folder: string,
): Promise<Comparison[]> {
  const reference = await readCase(folder);
  const kind = Object.hasOwn(kinds, reference.kind) ? kinds[reference.kind] : undefined;
  if (!kind) {
    throw new WeightsError(`unknown kind '${reference.kind}' (known: ${Object.keys(kinds).join(', ')})`);
  }
  return compareResults(reference, await runKind(device, kind, reference));
}

async function runKind(
  device: Device,
  kind: Kind,
  { config, parameters, inputs, expected }: Case,
): Promise<Results> {
  const tensors = new Map<string, Tensor>();
  try {
    for (const [name, { shape, data }] of parameters) {
      const tensor = device.tensor(shape, data, { name });
      tensor.requiresGrad = expected.has(`grad/${name}`);
      tensors.set(name, tensor);
    }
    return await kind({ device, config, parameters: new ParameterStore(tensors), inputs });
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
}

function lineOf(name: string, { name: tensor, absolute, relative, pass, note }: Comparison): string {
  const errors = `max abs ${absolute.toExponential(2)}  max rel ${relative.toExponential(2)}`;
  return `${name}  ${tensor}  ${errors}  ${pass ? 'pass' : 'FAIL'}${note ? `  (${note})` : ''}`;
}

// What an index belongs to: a hash of every file and setting that decides its contents.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashOf } from '../../files/fingerprint.ts';
import type { Answering } from '../../link/linking-model.ts';
import type { Session } from '../../link/session.ts';
import { indexVersion } from './format.ts';

/** Folder of a run's index. */
export function indexFolder(run: string): string {
  return join(run, 'index');
}

/** The hash for what answers in the run's folder now. */
export async function belongsTo(
  { inputs }: Session,
  folder: string,
  { experts, dsmip }: Answering,
): Promise<string> {
  const names = [...experts.map(({ kind }) => kind), ...(dsmip ? ['gate'] : [])];
  const files = names.map((name) => readFile(join(folder, name, 'best.safetensors')));
  return hashOf([`index ${indexVersion}`, inputs, ...names, ...(await Promise.all(files))]);
}

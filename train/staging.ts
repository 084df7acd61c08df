// Where files lie while they are being made: in a folder beside the one that they are for, FOLDER.new. They move there once
// all are finished, so that what is finished is replaced by something finished only. Whatever else is in the two folders
// stays.

import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomically } from '../files/atomic-file.ts';
import { WeightsError } from '../files/errors.ts';
import { lockFolder } from '../files/folder-lock.ts';

/** The best epoch's parameters, the state of the last epoch, a line for each step: the files of a training. */
export const trainingFiles = ['best.safetensors', 'last.safetensors', 'metrics.jsonl'] as const;

/** Says that the files beside it are finished, and may be on their way. */
const finishedMark = 'finished';

/** The staging place of a training. */
export interface Staging {
  best: string;
  last: string;
  log: string;
  /** The checkpoint to go on from; null to begin. */
  resumeFrom: string | null;
  /** The best epoch's parameters as they are now: here, or those of the finished training that is gone on with. */
  bestSoFar(): string;
  /** Moves the files of the finished training to their place. */
  finish(): Promise<void>;
  /** After a failure: removes the staging place, unless an epoch was finished. */
  abandon(): Promise<void>;
}

/**
 * Makes the staging place for a training in `folder`. To resume, it goes on with what an interrupted training left there,
 * else with the finished one. Without, what an interrupted training left is removed; a finished one stays until the new
 * one is. Throws InputError while another process trains there.
 */
export async function openStaging(folder: string, resume: boolean): Promise<Staging> {
  const staging = stagingOf(folder);
  await mkdir(staging, { recursive: true }).catch((error: Error) => {
    throw new WeightsError(`${staging}: cannot be made: ${error.message}`);
  });
  const lock = await lockFolder(staging);
  await completeMove(folder, trainingFiles);
  await mkdir(staging, { recursive: true });
  for (const name of await readdir(staging)) {
    const isHalf = /^(best\.safetensors|last\.safetensors|metrics\.jsonl)\..*\.tmp$/.test(name);
    const isOurs = trainingFiles.some((file) => file === name);
    if (isHalf || (!resume && isOurs)) await rm(join(staging, name), { force: true });
  }
  const [best, last, log] = trainingFiles.map((name) => join(staging, name)) as [string, string, string];
  /** Removes the place, unless an epoch waits there to be gone on with. */
  const leave = async () => {
    if (!existsSync(last)) await removeFiles(staging, trainingFiles);
    await lock.release();
    await rmdir(staging).catch(() => {}); // Something is left in it.
  };
  const candidates = resume ? [last, join(folder, 'last.safetensors')] : [];
  const resumeFrom = candidates.find((file) => existsSync(file)) ?? null;
  return {
    best,
    last,
    log,
    resumeFrom,
    bestSoFar: () => (existsSync(best) ? best : join(folder, 'best.safetensors')),
    async finish() {
      // A training that was finished before has left nothing to move.
      if (existsSync(last)) await moveFinished(folder, trainingFiles);
      await leave();
    },
    async abandon() {
      await leave();
    },
  };
}

/** The folder that files for `folder` are made in. */
export function stagingOf(folder: string): string {
  return `${folder}.new`;
}

/** Moves finished files, paths within the folder, from its staging place. */
export async function moveFinished(folder: string, files: readonly string[]): Promise<void> {
  await writeFileAtomically(join(stagingOf(folder), finishedMark), async () => {});
  await completeMove(folder, files);
}

/** Goes on with a move that was interrupted; does nothing where there was none. */
export async function completeMove(folder: string, files: readonly string[]): Promise<void> {
  const staging = stagingOf(folder);
  if (!existsSync(join(staging, finishedMark))) return;
  for (const file of files) {
    const to = join(folder, file);
    await mkdir(dirname(to), { recursive: true });
    // A file that is not there any more was moved before the interruption.
    if (existsSync(join(staging, file))) await rename(join(staging, file), to);
  }
  await removeFiles(staging, files);
}

/** Removes these files of a staging place, and its folders where nothing else is in them. */
export async function removeFiles(staging: string, files: readonly string[]): Promise<void> {
  for (const file of [...files, finishedMark]) await rm(join(staging, file), { force: true });
  const folders = new Set([...files.map((file) => dirname(join(staging, file))), staging]);
  // Somebody else's files keep a folder.
  for (const folder of folders) if (folder !== staging) await rmdir(folder).catch(() => {});
  await rmdir(staging).catch(() => {});
}

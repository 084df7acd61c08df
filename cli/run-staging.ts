// Where a whole run is made: in its folder where that has none of its files yet, else beside it, so that a finished run is
// replaced only by a finished run.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { stagesFile } from '../eval/stages.ts';
import { lockName } from '../files/folder-lock.ts';
import { completeMove, moveFinished, removeFiles, stagingOf } from '../train/staging.ts';

export interface RunStaging {
  /** Where the stages are to be done. */
  folder: string;
  /** All stages are finished: their files take the place of what was there. */
  finish(): Promise<void>;
  /** Lets the next one in. */
  release(): Promise<void>;
}

/**
 * `files`: what the stages write, paths within the run's folder. Throws InputError while another process makes the run.
 */
export async function openRunStaging(
  run: string,
  files: readonly string[],
  resume: boolean,
): Promise<RunStaging> {
  const lock = await lockName(run);
  const release = () => lock.release();
  try {
    const staging = stagingOf(run);
    const all = [...files, stagesFile];
    await completeMove(run, all);
    const isTaken = files.some((file) => existsSync(join(run, file)));
    const goesOn = resume && existsSync(join(staging, stagesFile));
    if (!goesOn && (resume || !isTaken)) return { folder: run, finish: async () => {}, release };
    if (!resume) await removeFiles(staging, all);
    return { folder: staging, finish: () => moveFinished(run, all), release };
  } catch (error) {
    await release();
    throw error;
  }
}

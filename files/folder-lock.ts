// One writer a folder: a file in it names the process that writes there. A process that was killed leaves its file behind,
// which is known by there being no such process any more.

import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from './errors.ts';

const lockName = 'lock';

/** The process that holds a lock: ids are given again, but not with the same start. */
interface Holder {
  pid: number;
  /** What the system says of when it started; '' where it does not. */
  started: string;
}

let taken = 0;

/** Takes the lock of a folder that exists; returns what gives it back. Throws InputError where another process has it. */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, lockName);
  const own: Holder = { pid: process.pid, started: await startOf(process.pid) };
  try {
    await writeFile(path, JSON.stringify(own), { flag: 'wx' });
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error;
    const holder = await readHolder(path);
    if (holder && (await isAlive(holder))) {
      throw new InputError(`${folder}: process ${holder.pid} is writing there; wait for it or stop it`);
    }
    // Of several that find a stale lock the one whose file is there in the end has it.
    const half = `${path}.${process.pid}-${taken++}`;
    await writeFile(half, JSON.stringify({ ...own, turn: half }));
    await rename(half, path);
    const found = await readFile(path, 'utf8').catch(() => '');
    if (!found.includes(JSON.stringify(half)))
      throw new InputError(`${folder}: another process is writing there`);
  }
  return () => rm(path, { force: true });
}

async function readHolder(path: string): Promise<Holder | null> {
  try {
    const { pid, started } = JSON.parse(await readFile(path, 'utf8')) as Partial<Holder>;
    return Number.isSafeInteger(pid) && pid! > 0 ? { pid: pid!, started: String(started ?? '') } : null;
  } catch {
    return null; // Gone meanwhile, or cut off by a kill.
  }
}

async function isAlive({ pid, started }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as { code?: string }).code === 'ESRCH') return false;
  }
  const now = await startOf(pid);
  return started === '' || now === '' || started === now;
}

/** When a process started, in the system's ticks; '' where the system does not say. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name, in brackets, may hold spaces.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

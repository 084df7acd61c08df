// Runs commands of this repository one after another, each a process of its own, as a person would type them:
// prints each, lets its output through, stops at the first that fails, remembers in the run's folder which
// are finished. Knows nothing of what they do.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFileAtomically } from '../files/atomic-file.ts';

export interface Stage {
  /** What a reader calls it; its name in the record, once in a run. */
  name: string;
  /** The script, from the root of the repository. */
  file: string;
  flags: readonly string[];
  /** Files it leaves, from the run's folder; it is finished when the first is there. */
  writes: readonly string[];
  /** Whether it knows --resume. */
  resumes: boolean;
}

/** How the stages ended: the exit code of the one that failed, else 0. */
export interface Ended {
  code: number;
  /** Of each stage that was run now or found finished. */
  seconds: Record<string, number>;
}

/** The finished stages of a run by name. */
type Finished = Record<string, { command: string; seconds: number }>;

const root = fileURLToPath(new URL('..', import.meta.url));
const runtime = 'Deno' in globalThis ? { name: 'deno', flags: ['run', '-A'] } : { name: 'node', flags: [] };

/**
 * Runs the stages of the run in `folder`. With `resume` those that are finished already, by the same command,
 * are passed over, and one that was stopped goes on where it was; without, what an earlier run left goes
 * first.
 */
export async function runStages(folder: string, stages: readonly Stage[], resume: boolean): Promise<Ended> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'stages.json');
  const finished = resume ? await readFinished(path) : {};
  if (!resume) {
    for (const file of ['stages.json', ...stages.flatMap(({ writes }) => writes)]) {
      await rm(join(folder, file), { force: true });
    }
  }
  const seconds: Record<string, number> = {};
  let hasRun = false;
  for (const stage of stages) {
    const command = commandLine(stage);
    const before = finished[stage.name];
    const isThere = existsSync(join(folder, stage.writes[0]!));
    if (!hasRun && before?.command === command && isThere) {
      seconds[stage.name] = before.seconds;
      console.log(`\n${stage.name}: finished before, in ${duration(before.seconds)}`);
      continue;
    }
    // What was made from an earlier stage's old files is not to be gone on with.
    const isStale = hasRun && before !== undefined;
    for (const file of isStale ? stage.writes : []) await rm(join(folder, file), { force: true });
    hasRun = true;
    const start = performance.now();
    const code = await runStage(stage, resume && stage.resumes && !isStale ? ['--resume'] : []);
    if (code !== 0) return { code, seconds };
    seconds[stage.name] = (performance.now() - start) / 1000;
    finished[stage.name] = { command, seconds: seconds[stage.name]! };
    await writeFileAtomically(path, (append) =>
      append(new TextEncoder().encode(`${JSON.stringify(finished, null, 2)}\n`)),
    );
  }
  return { code: 0, seconds };
}

/** Prints the command, runs it to its end and gives its exit code, 128 + n for one that signal n ended. */
export function runStage(stage: Stage, more: readonly string[] = []): Promise<number> {
  const { name, file, flags } = stage;
  console.log(`\n$ ${commandLine(stage)}${more.map((flag) => ` ${flag}`).join('')}`);
  const child = spawn(process.execPath, [...runtime.flags, join(root, file), ...flags, ...more], {
    stdio: 'inherit',
  });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  return new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code !== 0)
        console.error(`${name}: ${signal ? `ended by ${signal}` : `failed, exit code ${code}`}`);
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  }).finally(() => {
    process.off('SIGINT', forward);
    process.off('SIGTERM', forward);
  });
}

/** What a person would type to run the stage. */
export function commandLine({ file, flags }: Stage): string {
  const script = relative(process.cwd(), join(root, file));
  return [runtime.name, ...runtime.flags, script, ...flags].map(quoted).join(' ');
}

/** '1:05' for 65 seconds. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Lines that say how long each stage took and all of them. */
export function durationLines(seconds: Readonly<Record<string, number>>): string[] {
  const all = Object.values(seconds).reduce((sum, s) => sum + s, 0);
  return [...Object.entries(seconds), ['in all', all] as const].map(
    ([name, value]) => `${name.padEnd(20)}${duration(value).padStart(7)}`,
  );
}

/** Nothing where the file is missing or damaged: then all is run, each stage from its own checkpoint. */
async function readFinished(path: string): Promise<Finished> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Finished;
  } catch {
    return {};
  }
}

function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

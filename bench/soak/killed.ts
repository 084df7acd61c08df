// Commands in processes of their own that are killed, as by `kill -9`, at random moments.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { commandOf } from '../../tests/support/toy-run.ts';
import type { RandomStream } from '../../train/random-stream.ts';
import { differences, type Listing, listing } from './folders.ts';

interface Ended {
  wasKilled: boolean;
  code: number | null;
  stderr: string;
  /** Milliseconds until the first output; null where there was none. */
  first: number | null;
  /** Milliseconds in all. */
  all: number;
}

/** When a process is to be killed, in milliseconds from its start or from its first output. */
interface Moment {
  from: 'start' | 'output';
  after: number;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs `dsmip`, with temporary files and remembered kernels in folders of its own. */
export class Commands {
  readonly temporary: string;
  readonly remembered: string;
  readonly #env: NodeJS.ProcessEnv;
  kills = 0;

  /** `folder`: to make those two in. */
  constructor(folder: string) {
    this.temporary = join(folder, 'tmp');
    this.remembered = join(folder, 'remembered');
    mkdirSync(this.temporary, { recursive: true });
    this.#env = {
      ...process.env,
      TMPDIR: this.temporary,
      DSMIP_CACHE: this.remembered,
      DSMIP_TUNE: 'off',
      NO_COLOR: '1',
    };
  }

  run(args: readonly string[], moment: Moment | null = null): Promise<Ended> {
    const start = performance.now();
    const child = spawn(process.execPath, commandOf(args), {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let [first, stderr, wasKilled]: [number | null, string, boolean] = [null, '', false];
    let timer: NodeJS.Timeout | undefined;
    const kill = () => {
      timer = setTimeout(() => {
        wasKilled = child.kill('SIGKILL');
      }, moment!.after);
    };
    if (moment?.from === 'start') kill();
    child.stdout.on('data', () => {
      if (first === null && moment?.from === 'output') kill();
      first ??= performance.now() - start;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-2000);
    });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        running.delete(child);
        if (signal === 'SIGKILL') this.kills++;
        resolve({
          wasKilled: wasKilled && signal === 'SIGKILL',
          code,
          stderr,
          first,
          all: performance.now() - start,
        });
      });
    });
  }

  /** Runs a command that must succeed. Throws an Error with what it said. */
  async must(args: readonly string[]): Promise<Ended> {
    const ended = await this.run(args);
    if (ended.code === 0) return ended;
    throw new Error(`dsmip ${args.join(' ')}: exit code ${ended.code}\n${ended.stderr}`);
  }

  /**
   * Runs a command that is killed so many times at random moments, and then to its end, unless it came to it before. Gives
   * what went wrong, in lines. `argsOf`: what it is called with, asked each time; `onKilled`: looks at what is left.
   */
  async runWithKills(
    argsOf: () => readonly string[],
    { kills, draws, took }: { kills: number; draws: RandomStream; took: Pick<Ended, 'first' | 'all'> },
    onKilled: () => void,
  ): Promise<string[]> {
    const wrong: string[] = [];
    for (let i = 0; i < kills; i++) {
      const { wasKilled, code, stderr } = await this.run(argsOf(), drawMoment(draws, took));
      if (wasKilled) onKilled();
      else if (code === 0) return wrong;
      else wrong.push(`exit code ${code}\n${stderr}`);
    }
    const { code, stderr } = await this.run(argsOf());
    if (code !== 0) wrong.push(`after kills: exit code ${code}\n${stderr}`);
    return wrong;
  }

  /** What processes have left of temporary files. */
  leftOver(): string[] {
    return differences(listing(this.temporary), new Map());
  }
}

/** A random moment of a process that takes as long as an undisturbed one: four times of five after its first output. */
function drawMoment(draws: RandomStream, { first, all }: Pick<Ended, 'first' | 'all'>): Moment {
  return draws.uniform() < 0.2
    ? { from: 'start', after: draws.between(0, all) }
    : { from: 'output', after: draws.between(0, all - (first ?? 0)) };
}

/** What a folder holds that is neither in the one listing nor in the other: torn files. */
export function tornFiles(folder: string, files: readonly string[], allowed: readonly Listing[]): string[] {
  const found = listing(folder);
  return files.flatMap((name) => {
    const hash = found.get(name);
    return hash === undefined || allowed.some((one) => one.get(name) === hash) ? [] : [`${name} is torn`];
  });
}

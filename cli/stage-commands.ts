// Stages as commands: what a person would type to do one alone, and how one is done as a process of its own.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { relative } from 'node:path';
import type { Work, WorkStage } from '../eval/pipeline.ts';
import {
  calibrationConfigOf,
  expertConfigOf,
  gateConfigOf,
  type Preset,
  workConfigOf,
} from '../train/config/presets.ts';
import {
  calibrationSchema,
  evaluationSchema,
  expertSchema,
  gateSchema,
  indexSchema,
  reportSchema,
} from '../train/config/schemas.ts';
import { argumentsFor } from './config-flags.ts';
import { ExitError } from './errors.ts';
import { OutputClosedError, printError } from './output.ts';

const runtime = 'Deno' in globalThis ? { name: 'deno', flags: ['run', '-A'] } : { name: 'node', flags: [] };

/** The file that was called as `dsmip`. */
const entry = process.argv[1] ?? 'dsmip';

/** Where commands get the preset from that their flags are told apart by. */
export interface PresetSource {
  preset: Preset;
  presetFlags: readonly string[];
}

/** The arguments of `dsmip` that do the work. */
function commandOf(work: Work, { preset, presetFlags }: PresetSource): string[] {
  switch (work.kind) {
    case 'expert': {
      const { kind } = work.config.expert;
      const flags = argumentsFor(expertSchema, expertConfigOf(preset, kind), work.config);
      return ['train', 'expert', '--expert', kind, ...presetFlags, ...flags];
    }
    case 'gate': {
      const flags = argumentsFor(gateSchema, gateConfigOf(preset), work.config);
      return ['train', 'gate', ...presetFlags, ...flags];
    }
    case 'calibration': {
      const flags = argumentsFor(calibrationSchema, calibrationConfigOf(preset), work.config);
      return ['calibrate', ...presetFlags, ...flags];
    }
    case 'evaluation': {
      const flags = argumentsFor(evaluationSchema, workConfigOf(preset, 'evaluation'), work.config);
      return ['evaluate', ...presetFlags, ...flags];
    }
    case 'report': {
      const { data, run } = preset;
      return ['report', ...presetFlags, ...argumentsFor(reportSchema, { data, run }, work.config)];
    }
    case 'index': {
      const flags = argumentsFor(indexSchema, workConfigOf(preset, 'index'), work.config);
      return ['index', ...presetFlags, ...flags];
    }
    default:
      return work satisfies never;
  }
}

/** What a person would type to do the work alone, quoted for a shell. */
export function commandLine(work: Work, source: PresetSource): string {
  const isSource = entry.endsWith('.ts');
  const dsmip = isSource ? [runtime.name, ...runtime.flags, relative(process.cwd(), entry)] : ['dsmip'];
  return [...dsmip, ...commandOf(work, source)].map(quoted).join(' ');
}

/** Does a stage as a process of its own, which ends when this one does. Throws ExitError with its exit code. */
export async function runIsolated(stage: WorkStage, source: PresetSource, resume: boolean): Promise<void> {
  const own = commandOf(stage.work, source);
  const args = [...runtime.flags, entry, ...own, ...(resume ? ['--resume'] : [])];
  const child = spawn(process.execPath, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGTERM', forward);
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal) printError(`${stage.name}: ended by ${signal}`);
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  }).finally(() => process.off('SIGTERM', forward));
  if (OutputClosedError.isCode(code)) throw OutputClosedError.ofWork();
  if (code !== 0) throw new ExitError(code);
}

/**
 * In a process that `runIsolated` or npm started: ends with the one that started it, however that ended. Who starts a command
 * by hand may leave it running.
 */
export function endWithParent(): void {
  if (process.connected) {
    process.on('disconnect', () => process.exit(1));
    process.channel?.unref();
  }
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const parents = npmAndShell();
  const look = () => {
    if (parents.some((parent, i) => parent !== (i === 0 ? process.ppid : parentOf(parents[i - 1]!)))) {
      process.exit(1);
    }
  };
  setInterval(look, parentPauseMs).unref();
}

/** Milliseconds between two looks at whether npm still runs. */
const parentPauseMs = 1000;

/** The parent, and where that is a shell which npm started, npm. */
function npmAndShell(): number[] {
  const grandparent = parentOf(process.ppid);
  return grandparent === null ? [process.ppid] : [process.ppid, grandparent];
}

/** The parent of a shell by Linux's /proc; null for another process and on other systems. */
function parentOf(pid: number): number | null {
  try {
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))!;
    return /^(?:ba|da|a|z|k)?sh$/.test(name!) ? Number(parent) : null;
  } catch {
    return null;
  }
}

function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

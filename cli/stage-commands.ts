// Stages as commands: what a person would type to do one alone, and how one is done as a process of its own.

import { spawn } from 'node:child_process';
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

/** In a process that `runIsolated` started: ends with the one that started it, however that ended. */
export function endWithParent(): void {
  if (!process.connected) return;
  process.on('disconnect', () => process.exit(1));
  process.channel?.unref();
}

function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

// Opens a session for a command and does its work on it; says what was opened, and with --profile where the time went.

import { profileTable } from '../engine/device/profiler.ts';
import { openSession, type Session } from '../link/session.ts';
import type { PlainFlag } from './config-flags.ts';
import { print, printError } from './output.ts';

/** The flag of commands that compute. */
export const profileFlag: PlainFlag = { flags: '--profile', help: 'print where the time went, by kernel' };

/** The parts of a configuration that a session is opened by. */
export interface SessionConfig {
  data: { folder: string };
  clip: { folder: string };
  bert?: { folder: string };
  albef?: { folder: string };
  cache: { folder: string };
}

/** Opens what a configuration names. `memoryGB`: the device's memory to get by with, 0 for all there is. */
export function openWork(
  { data, clip, bert, albef, cache }: SessionConfig,
  { profile = false, memoryGB = 0 }: { profile?: boolean; memoryGB?: number } = {},
): Promise<Session> {
  return openSession({
    data: data.folder,
    clip: clip.folder,
    encoders: {
      ...(bert ? { bert: bert.folder } : {}),
      ...(albef ? { albef: albef.folder } : {}),
    },
    cache: cache.folder,
    onWarning: (line) => printError(`warning: ${line}`),
    deviceOptions: { profile, ...(memoryGB > 0 ? { memoryBudgetBytes: 1e9 * memoryGB } : {}) },
  });
}

/** Says what was opened. */
export function describeSession({ device, description }: Session): void {
  print(`${device.description}\n${description}`);
}

/** Prints the profile where one was taken, and closes. */
export async function closeWork(session: Pick<Session, 'device' | 'close'>, profile: boolean): Promise<void> {
  if (profile) print(profileTable(await session.device.profile()));
  session.close();
}

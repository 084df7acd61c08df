// Commands that are scripts of their own: run as a process each, with the arguments as they are.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../files/errors.ts';
import { packageRoot } from '../files/package-path.ts';
import { ExitError } from './errors.ts';

/** Runs a script of the package to its end. Throws ExitError where its exit code is not 0, UsageError where it is not there. */
export async function runScript(file: string, args: readonly string[]): Promise<void> {
  const isBuilt = import.meta.url.endsWith('.js');
  const path = join(packageRoot(), isBuilt ? file.replace(/^(.*)\.ts$/, 'dist/$1.js') : file);
  if (!existsSync(path)) throw new UsageError(`${file} is in the repository only, not in the package`);
  const runtimeFlags = 'Deno' in globalThis ? ['run', '-A'] : [];
  const child = spawn(process.execPath, [...runtimeFlags, path, ...args], {
    stdio: 'inherit',
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
  if (code !== 0) throw new ExitError(code);
}

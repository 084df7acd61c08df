// dsmip bench: how fast the kernels are. Its measurements start processes of their own.

import { runScript } from '../run-script.ts';

export function run(args: readonly string[]): Promise<void> {
  return runScript('bench/bench.ts', args);
}

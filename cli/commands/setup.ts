// dsmip setup: finds or installs a WebGPU adapter.

import { runScript } from '../run-script.ts';

export function run(args: readonly string[]): Promise<void> {
  return runScript('setup.mjs', args);
}

// dsmip setup: finds or installs a WebGPU adapter.

import { print } from '../output.ts';
import { runScript } from '../run-script.ts';

const help = `Usage: dsmip setup [flags]

Makes the machine ready, and changes nothing where nothing is missing: a WebGPU adapter, and a Node that runs
TypeScript. On Linux it installs what is missing.

Options:
  --swiftshader  also install SwiftShader, though another adapter works
  --chromium     also install Chromium, for the tests of the package
  --help         this text`;

export async function run(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) {
    print(help);
    return;
  }
  return runScript('setup.mjs', args);
}

// dsmip download: fetches a model's weights from the Hugging Face hub. What was stopped is gone on with, what is there and
// whole is left alone.

import { runScript } from '../run-script.ts';

export function run(args: readonly string[]): Promise<void> {
  return runScript('weights/download.ts', args);
}

// Makes RUN/report.html, one file to look at in a browser: figures beside the paper's, curves, the gate's
// choices and twenty mentions with their pictures.
//   node eval/report.ts --run runs/default [--data DIR] [--help]

import { join } from 'node:path';
import { readDataset } from '../data/dataset.ts';
import { writeFileAtomically } from '../files/atomic-file.ts';
import { isBadInput } from '../train/bad-input.ts';
import { parseFlags, reportError } from '../train/flags.ts';
import { presetOf } from '../train/presets.ts';
import { commonFlags } from '../train/run-flags.ts';
import { checkPredictions } from './report/check-predictions.ts';
import { reportPage } from './report/page.ts';
import { readRun } from './report/read-run.ts';

try {
  const args = process.argv.slice(2);
  const { name, preset } = presetOf(args);
  const { preset: chosen, data, run } = commonFlags(name, preset);
  const options = parseFlags('usage: node eval/report.ts [flags]', { preset: chosen, data, run }, args);
  if (options) await main(options);
} catch (error) {
  reportError(error, isBadInput);
}

async function main({ data, run }: { data: string; run: string }): Promise<void> {
  const files = await readRun(run);
  const dataset = await readDataset(data);
  checkPredictions(join(run, 'predictions.jsonl'), files, dataset);
  const page = await reportPage(run, dataset, files);
  const path = join(run, 'report.html');
  await writeFileAtomically(path, (append) => append(new TextEncoder().encode(page)));
  console.log(`wrote ${path}, ${Math.ceil(page.length / 1024)} KiB`);
}

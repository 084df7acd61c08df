// Makes RUN/report.html, one file to look at in a browser: figures beside the paper's, curves, the gate's choices and
// twenty mentions with their pictures. Reads files only.

import { join } from 'node:path';
import { readDataset } from '../data/dataset.ts';
import { writeFileAtomically } from '../files/atomic-file.ts';
import { checkConfig } from '../train/config/check.ts';
import { type ReportConfig, reportSchema } from '../train/config/schemas.ts';
import { checkPredictions } from './report/check-predictions.ts';
import { readRun } from './report/read-run.ts';

/** Writes the report. Throws one line for a run or a data set that is missing, damaged or of something else. */
export async function writeReport(config: ReportConfig): Promise<{ file: string; bytes: number }> {
  const { data, run } = checkConfig(reportSchema, config);
  const files = await readRun(run.folder);
  const dataset = await readDataset(data.folder);
  checkPredictions(join(run.folder, 'predictions.jsonl'), files, dataset);
  // What draws the charts is large; it is loaded when a report is made.
  const { reportPage } = await import('./report/page.ts');
  const page = new TextEncoder().encode(await reportPage(run.folder, dataset, files));
  const file = join(run.folder, 'report.html');
  await writeFileAtomically(file, (append) => append(page));
  return { file, bytes: page.length };
}

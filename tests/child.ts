// Runs one test file inside a process of its own and reports its counts to tests/run.ts: `child.ts TEST_FILE
// REPORT_FILE`. The report is a file, so that a test may print what it likes; it is rewritten after every
// test, so that a crash or a hang leaves how far it came. It knows uvu's queue and nothing of the engine.

import * as fs from 'node:fs';
import { pathToFileURL } from 'node:url';

/** What the child leaves for the runner. `finished` is missing after a crash or a hang. */
export interface Report {
  ran: number;
  passed: number;
  failed: number;
  skipped: number;
  errors: string;
  finished: boolean;
}

/** A suite in uvu's queue: runs its tests, returns [errors or true, passed, skipped, total]. */
type Suite = () => Promise<[string | true, number, number, number]>;

const [, , testFile, reportFile] = process.argv;
if (testFile !== undefined && reportFile !== undefined) await runFile(testFile, reportFile);

async function runFile(testFile: string, reportFile: string): Promise<void> {
  const report: Report = { ran: 0, passed: 0, failed: 0, skipped: 0, errors: '', finished: false };
  const save = () => fs.writeFileSync(reportFile, JSON.stringify(report));
  save();

  // uvu prints a mark after each test; they become the progress, everything else is the test's own.
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = ((chunk: string | Uint8Array, ...rest: []) => {
    if (chunk === '• ' || chunk === '✘ ') {
      report.ran++;
      save();
      return true;
    }
    return typeof chunk === 'string' && /^ {2}\(\d+ \/ \d+\)\n$/.test(chunk) ? true : write(chunk, ...rest);
  }) as typeof process.stdout.write;

  const queue: (Suite | null)[][] = [[]];
  Object.assign(globalThis, { UVU_DEFER: 1, UVU_INDEX: 0, UVU_QUEUE: queue });
  await import(pathToFileURL(testFile).href);
  for (const suite of queue[0] ?? []) {
    if (suite === null) continue;
    const [errors, passed, skipped, total] = await suite();
    report.passed += passed;
    report.failed += total - passed;
    report.skipped += skipped;
    if (errors !== true) report.errors += errors;
  }
  report.finished = true;
  save();
  if (report.failed > 0) process.exitCode = 1;
}

// The test runner: `npm test [-- FILTER...]`, in Node and in Deno. Finds tests/**/*.test.ts, runs each file
// in a process of its own (tests/child.ts): a device that leaks or a driver that crashes ends with its file.
// As many files run at a time as there are cores, since none keeps them all busy: short kernels wait for the
// host, and Deno looks for a result only every ten milliseconds. Prints one line a file as it ends, the
// details of what failed, and as its last line `N passed, N failed`; exit code 1 on any failure or no test.
// What is no clean end is one failed test: a crash, a file without tests, the time limit, a process that
// does not exit by itself once its tests are done.
//
//   FILTER          runs only the files whose path under the folder contains it (any of several)
//   --swiftshader   on SwiftShader, where `npm run setup -- --swiftshader` put it
//   --limit SECONDS how long one file may take (600)
//   --jobs N        files at a time (the number of cores)
//   --dir FOLDER    another folder than tests/
//
// The tests of tests/package look at the packed package, not at the sources: `npm run test:package` runs them.

import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SWIFTSHADER_ICD } from '../setup.mjs';
import type { Report } from './child.ts';

const HERE = path.dirname(fileURLToPath(import.meta.url));
/** Runs by itself, with --dir: it packs the package, and starts a browser and Deno itself. */
const APART = path.join(HERE, 'package');
/** How long a process may live on after its last test, in milliseconds. */
const EXIT_GRACE = 20_000;

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
  details: string;
  output: string;
}
interface Ended {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  stopped: Stopped;
}
type Stopped = 'by itself' | 'at the time limit' | 'after its tests';

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      swiftshader: { type: 'boolean', default: false },
      limit: { type: 'string', default: '600' },
      jobs: { type: 'string', default: String(os.availableParallelism()) },
      dir: { type: 'string', default: HERE },
    },
  });
  const limit = Number(values.limit);
  if (!(limit > 0)) return complain(`--limit ${values.limit}: expected a number of seconds above 0`);
  const jobs = Number(values.jobs);
  if (!(Number.isInteger(jobs) && jobs > 0))
    return complain(`--jobs ${values.jobs}: expected an integer above 0`);
  if (values.swiftshader && !fs.existsSync(SWIFTSHADER_ICD)) {
    return complain('SwiftShader is not installed: run `npm run setup -- --swiftshader`');
  }
  const all = findTests(values.dir);
  const idle = positionals.find((filter) => !all.some((file) => file.includes(filter)));
  if (idle !== undefined) return complain(`no test file under ${values.dir} contains '${idle}' in its path`);
  const files = all.filter(
    (file) => positionals.length === 0 || positionals.some((filter) => file.includes(filter)),
  );
  if (files.length === 0) return complain(`no test files (*.test.ts) under ${values.dir}`);

  const driver = { VK_DRIVER_FILES: SWIFTSHADER_ICD, VK_ICD_FILENAMES: SWIFTSHADER_ICD };
  // Tuning would measure every odd shape of the tests; tests/engine/device/tuner.test.ts turns it on for itself.
  const env = { ...process.env, NO_COLOR: '1', DSMIP_TUNE: 'off', ...(values.swiftshader ? driver : {}) };
  let passed = 0;
  let failed = 0;
  const queue = files.values();
  const work = async () => {
    // All workers take from the one iterator.
    for (const file of queue) {
      const start = performance.now();
      const outcome = await runFile(path.join(values.dir, file), limit * 1000, env);
      passed += outcome.passed;
      failed += outcome.failed;
      print(file, outcome, (performance.now() - start) / 1000);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

/** Paths of the test files under `folder`, relative to it, with forward slashes, sorted. */
function findTests(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const isApart = (name: string) => path.join(folder, name).startsWith(`${APART}${path.sep}`);
  return names
    .filter((name) => path.resolve(folder) === APART || !isApart(name))
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.test.ts'))
    .sort();
}

/** Runs one file and judges its report and its end together. */
async function runFile(file: string, limit: number, env: NodeJS.ProcessEnv): Promise<Outcome> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dsmip-test-'));
  const reportFile = path.join(folder, 'report.json');
  try {
    const ended = await runChild(
      [path.join(HERE, 'child.ts'), path.resolve(file), reportFile],
      limit,
      // What is remembered from one device to the next is not the user's, and not the last file's.
      { ...env, DSMIP_CACHE: path.join(folder, 'cache') },
      () => Boolean(readReport(reportFile)?.finished),
    );
    return judge(readReport(reportFile), ended, limit);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function judge(report: Report | undefined, ended: Ended, limit: number): Outcome {
  const { passed = 0, failed = 0, skipped = 0, ran = 0, errors = '', finished = false } = report ?? {};
  const end = ended.signal === null ? `exit code ${ended.code}` : `signal ${ended.signal}`;
  const faults: string[] = [];
  if (ended.stopped === 'at the time limit')
    faults.push(`time limit: stopped after ${limit / 1000} s, in test ${ran + 1}`);
  else if (!finished) faults.push(`crash: ended with ${end} in test ${ran + 1}, before its tests were done`);
  else if (ended.stopped === 'after its tests')
    faults.push('the process did not exit by itself after its last test');
  else if (ended.code !== (failed > 0 ? 1 : 0)) faults.push(`crash: ended with ${end} after its last test`);
  else if (passed + failed === 0) faults.push('no tests: is test.run() missing?');
  const details = [...faults, errors.trimEnd()].filter((text) => text !== '').join('\n');
  return {
    // A file cut short has not reported its suites: what it passed until then stays uncounted.
    passed,
    failed: failed + faults.length,
    skipped,
    details: details === '' ? '' : `${details}\n${ended.stderr}`.trimEnd(),
    output: ended.stdout.trimEnd(),
  };
}

/** Runs a script in the same runtime; kills it at the limit, or when it lives on after `isDone()`. */
function runChild(
  args: string[],
  limit: number,
  env: NodeJS.ProcessEnv,
  isDone: () => boolean,
): Promise<Ended> {
  const runtime = 'deno' in process.versions ? ['run', '-A'] : [];
  const child = spawn(process.execPath, [...runtime, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended: Ended = { code: null, signal: null, stdout: '', stderr: '', stopped: 'by itself' };
  const stop = (how: Stopped) => {
    ended.stopped = how;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => stop('at the time limit'), limit);
  let doneAt = 0;
  const watch = setInterval(() => {
    if (doneAt === 0 && isDone()) doneAt = performance.now();
    if (doneAt > 0 && performance.now() - doneAt > EXIT_GRACE) stop('after its tests');
  }, 1000);
  child.stdout.setEncoding('utf8').on('data', (text: string) => (ended.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (ended.stderr += text));
  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      clearInterval(watch);
    };
    child.on('error', (error) => {
      settle();
      reject(error);
    });
    child.on('close', (code, signal) => {
      settle();
      resolve({ ...ended, code, signal });
    });
  });
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined; // not there, or being rewritten when the process was killed: the file counts as crashed
  }
}

function print(file: string, outcome: Outcome, seconds: number): void {
  const { passed, failed, skipped } = outcome;
  const counts = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  console.log(`${failed > 0 ? 'FAIL' : 'ok  '} ${file}  ${counts}  ${seconds.toFixed(1)} s`);
  for (const text of [outcome.output, outcome.details]) {
    if (text !== '') console.log(text.replaceAll(/^/gm, '     '));
  }
}

/** A run without a result still ends with the line of counts: nothing passed, and that is a failure. */
function complain(line: string): number {
  console.log(`${line}\n0 passed, 1 failed`);
  return 1;
}

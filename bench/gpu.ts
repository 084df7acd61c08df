// `npm run gpu [-- BENCHMARK...]`: what a machine with a GPU has to show: the engine's tests, the reference cases and
// the benchmarks (those named, or all), and at the end a summary with the adapter's name. Exit code 1 on any failure.
// Refuses to run on an adapter that computes on the CPU, whose figures would be taken for a GPU's, unless --any.

import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDevice } from '../engine/index.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const device = await openDevice();
  const { description, isCpu } = device;
  device.destroy();
  if (isCpu && !words.includes('--any')) {
    console.error(`gpu: ${description} computes on the CPU; npm run gpu -- --any runs on it all the same`);
    return 1;
  }
  const tests = await run('tests/run.ts', ['engine/']);
  const cases = await run('cli/dsmip.ts', ['verify', join(root, 'tests/cases')]);
  const bench = await run(
    'bench/bench.ts',
    words.filter((word) => word !== '--any'),
  );
  console.log(`\n${description}`);
  console.log(`engine tests: ${lastLine(tests.text)}`);
  console.log(`reference cases, tensors: ${lastLine(cases.text)}`);
  console.log(`\n${bench.text.trimEnd()}`);
  return [tests, cases, bench].every(({ code }) => code === 0) ? 0 : 1;
}

/** Runs a script of the repository to its end. What it says is shown, the table of the benchmarks only by the summary. */
function run(script: string, args: readonly string[]): Promise<{ code: number | null; text: string }> {
  console.log(`\n$ node ${script} ${args.join(' ')}`);
  const child = spawn(process.execPath, [join(root, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    if (script !== 'bench/bench.ts') process.stdout.write(part);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, text }));
  });
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)!;
}

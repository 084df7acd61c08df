// The proof at scale, by hand and not in `npm test`: knowledge bases of growing size, up to WikiMEL's 109,976 entities
// with texts as long as WikiMEL's, indexed and ranked with scoring of the paper's size and random weights.
//
//   node bench/scale/proof.ts --out DIR --vocabulary DIR [--sizes 1000,10000,30000,109976] [--systems text,dsmip]
//
// Prints a table: what the index takes to build, what ranking 256 mentions against all entities takes, what --candidates
// saves; seconds on the clock and of CPU, which other work on the machine disturbs less; memory of the process over what
// it had before. What encoding costs does not belong to the proof: the encoders are small, so that hours become minutes.
// An index that is there already is not built again, and its time is not shown.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDevice } from '../../engine/device.ts';
import { textTable } from '../../eval/text-table.ts';
import { UsageError } from '../../files/errors.ts';
import { indexDtypes } from '../../ranking/index/format.ts';
import { count, oneOf, parseFlags, reportError, text } from './flags.ts';
import { makeRandomClip } from './random-run.ts';

const FLAGS = {
  out: text('', 'folder for data sets, CLIP and runs: about 3 GB'),
  vocabulary: text('', "folder with CLIP's own vocab.json and merges.txt"),
  sizes: text('1000,10000,30000,109976', 'entities of the knowledge bases'),
  mentions: count(256, 'to rank', 1),
  'max-length': count(77, 'tokens at which texts are cut', 4),
  systems: text('text,visual,multimodal,dsmip', 'who ranks'),
  dtype: oneOf(indexDtypes, 'int8', 'of the index'),
};
type Options = NonNullable<ReturnType<typeof parseFlags<typeof FLAGS>>>;

/** What measure.ts says of a piece of work. */
interface Work {
  seconds: number;
  cpuSeconds: number;
  residentBefore: number;
  residentPeak: number;
  devicePeak: number;
}

try {
  const options = parseFlags('usage: node bench/scale/proof.ts [flags]', FLAGS, process.argv.slice(2));
  if (options) await main(options);
} catch (error) {
  process.exitCode = reportError(error);
}

async function main(options: Options): Promise<void> {
  const { out, vocabulary, 'max-length': maxLength } = options;
  if (out === '' || vocabulary === '') throw new UsageError('--out and --vocabulary are needed');
  const clip = join(out, `clip-${maxLength}`);
  if (!existsSync(join(clip, 'model.safetensors'))) {
    const device = await openDevice();
    await makeRandomClip(device, clip, vocabulary, maxLength);
    device.destroy();
  }
  const rows = [['entities', 'work', 's', 'CPU s', 'pairs/s', 'per CPU s', '+ MB', 'device MB', '']];
  for (const size of options.sizes.split(',').map(Number)) rows.push(...(await proveOn(size, clip, options)));
  console.log(textTable(rows, [0, 1]).join('\n'));
}

async function proveOn(size: number, clip: string, options: Options): Promise<string[][]> {
  const { out, 'max-length': maxLength, mentions, systems, dtype } = options;
  const data = join(out, `kb-${size}`);
  if (!existsSync(join(data, 'SYNTHETIC_test.json'))) {
    // A fifth of the mentions are the test split.
    const all = ['--out', data, '--entities', `${size}`, '--mentions', `${5 * mentions}`];
    await child('synthetic-kb.ts', all);
  }
  const flags = ['--data', data, '--clip', clip, '--run', join(out, `run-${size}-${maxLength}`)];
  const measure = async (part: string, ...more: string[]) =>
    JSON.parse(await child('measure.ts', ['--part', part, ...flags, ...more]));

  const built = await measure('index', '--dtype', dtype);
  const index = `${built.bytesPerEntity} bytes an entity`;
  const isBuilt = built.kept === 0;
  const rows = isBuilt ? [row(size, 'index', built.built, null, index)] : [];
  const ranked = await measure('rank', '--systems', systems);
  for (const [name, work] of Object.entries<Work & { pairs: number; computed: number[] }>(ranked.systems)) {
    const computed = work.computed.map((n) => `${Math.round((100 * n) / work.pairs)} %`);
    rows.push(row(size, name, work, work.pairs, `experts asked: ${computed.join(', ')}`));
  }
  const { candidates, recall, retrieved, scored } = await measure('retrieve');
  rows.push(row(size, 'retrieval', retrieved, mentions * size, `recall@${candidates} ${recall.toFixed(1)}`));
  rows.push(row(size, 'candidates', scored, scored.pairs, `${scored.pairs} pairs scored`));
  return rows;
}

function row(size: number, what: string, work: Work, pairs: number | null, remark: string): string[] {
  const { seconds, cpuSeconds, residentBefore, residentPeak, devicePeak } = work;
  const rate = (by: number) => (pairs === null ? '' : (pairs / by).toFixed(0));
  const mega = (bytes: number) => (bytes / 1e6).toFixed(0);
  const numbers = [seconds.toFixed(1), cpuSeconds.toFixed(1), rate(seconds), rate(cpuSeconds)];
  return [`${size}`, what, ...numbers, mega(residentPeak - residentBefore), mega(devicePeak), remark];
}

/** What a script beside this one prints last. */
async function child(script: string, args: string[]): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const process_ = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  process_.stdout.on('data', (bytes) => {
    printed += bytes;
  });
  const status = await new Promise((resolve) => process_.on('close', resolve));
  if (status !== 0) throw new UsageError(`${script} ${args.join(' ')}: exit code ${status}`);
  return printed.trim().split('\n').at(-1)!;
}

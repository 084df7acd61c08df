// npm run soak: does the same things again and again for twenty minutes, disturbs them, and looks whether anything grows, is
// left over, or differs from what an undisturbed process makes.
//
//   npm run soak                          100,000 links, 1,000 trainings (50 of them killed), 200 index builds with kills
//   npm run soak -- --scale 0.01          a hundredth of each
//   npm run soak -- --minutes 5           ends after five, whatever is done by then
//   npm run soak -- --parts links,builds  these only; 'requests' sends 100,000 to a server
//
// Links and trainings run in this process, on one device, whose memory is sampled; what is killed runs beside them in
// processes of its own. What is random follows from --seed, but for how far a process is at the moment it is killed. Prints
// a table and as its last line `soak: ...`; exit code 1 where anything was wrong. Memory counts from a tenth of the numbers on.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Device, openDevice } from '../../engine/device.ts';
import { buildIndex } from '../../eval/build-index.ts';
import { textTable } from '../../eval/text-table.ts';
import { UsageError } from '../../files/errors.ts';
import { makeToy, openToy, runFolder, type Toy, trainToy } from '../../tests/support/toy-run.ts';
import { checkConfig } from '../../train/config/check.ts';
import { indexSchema } from '../../train/config/schemas.ts';
import { count, parseFlags, real, reportError, text } from '../scale/flags.ts';
import { soakBuilds } from './builds.ts';
import { differences, listing } from './folders.ts';
import { soakKilledTrainings } from './killed-trainings.ts';
import { soakLinks } from './links.ts';
import { Faults, type PartOptions, type PartResult } from './part.ts';
import { soakRequests } from './requests.ts';
import { soakTrainings } from './trainings.ts';

const FLAGS = {
  scale: real(1, 'part of the numbers to do'),
  minutes: real(0, 'after which it ends, though less is done; 0: never'),
  seed: count(0, 'what is random begins with; 0: one that is drawn'),
  parts: text('links,trainings,killed-trainings,builds', 'which to do, or requests, separated by commas'),
};

interface Place {
  toy: Toy;
  device: Device;
  /** A trained run with an index, which parts that write copy. */
  trained: string;
  /** Where what runs in processes of its own works. */
  beside: string;
}

interface Part {
  /** How many at scale 1. */
  count: number;
  /** What works in this process, one after the other; all else runs beside it, also one after the other. */
  isInside: boolean;
  run(place: Place, options: PartOptions): Promise<PartResult>;
}

/** What a part came to. `isLong`: at least a tenth of what it has at scale 1; in less, memory is what is made once. */
interface Done extends PartResult {
  isLong: boolean;
}

const parts: Readonly<Record<string, Part>> = {
  links: {
    count: 100_000,
    isInside: true,
    run: ({ toy, device, trained }, options) =>
      soakLinks({ run: trained, pictures: join(toy.data, 'mention_image'), device }, options),
  },
  trainings: { count: 950, isInside: true, run: soakTrainings },
  'killed-trainings': { count: 50, isInside: false, run: soakKilledTrainings },
  builds: { count: 200, isInside: false, run: soakBuilds },
  requests: {
    count: 100_000,
    isInside: false,
    run: ({ toy, trained, beside }, options) => soakRequests({ run: trained, toy, beside }, options),
  },
};

try {
  const options = parseFlags('usage: npm run soak -- [flags]', FLAGS, process.argv.slice(2));
  if (options) process.exitCode = (await soak(options)) ? 0 : 1;
} catch (error) {
  process.exitCode = reportError(error);
}

async function soak(options: {
  scale: number;
  minutes: number;
  seed: number;
  parts: string;
}): Promise<boolean> {
  const chosen = options.parts.split(',').map((name) => {
    if (!parts[name])
      throw new UsageError(`--parts ${name}: expected one of ${Object.keys(parts).join(', ')}`);
    return parts[name];
  });
  const seed = options.seed || 1 + Math.floor(Math.random() * 1e6);
  console.log(`seed ${seed}`);
  const start = performance.now();
  const end = options.minutes > 0 ? start + 60_000 * options.minutes : Infinity;
  const temporary = mkdtempSync(join(tmpdir(), 'dsmip-soak-'));
  // Whatever this process leaves in its temporary folder is seen there; and it remembers nothing of before.
  Object.assign(process.env, {
    TMPDIR: temporary,
    DSMIP_TUNE: 'off',
    DSMIP_CACHE: join(temporary, 'remembered'),
    // Else Node keeps what it compiles among the temporary files.
    NODE_COMPILE_CACHE: join(temporary, 'compiled'),
  });
  try {
    const device = await openDevice();
    console.log(device.description);
    const place = await makePlace(device, join(temporary, 'beside'));
    const before = listing(place.trained);
    const lane = async (isInside: boolean) => {
      const results: Done[] = [];
      const own = chosen.filter((one) => one.isInside === isInside);
      for (const part of own) {
        // The time that is left, in equal shares.
        const now = performance.now();
        const until = now + (end - now) / (own.length - results.length);
        const asked = Math.max(1, Math.round(part.count * options.scale));
        const result = await part.run(place, { asked, seed: seed + results.length, until });
        console.error(
          `${result.name}: done in ${result.seconds.toFixed(0)} s, ${result.faults.count} faults`,
        );
        results.push({ ...result, isLong: result.done >= part.count / 10 });
      }
      return results;
    };
    const results = (await Promise.all([lane(true), lane(false)])).flat();
    const left = new Faults();
    left.addAll('trained run', differences(listing(place.trained), before));
    device.destroy();
    rmSync(place.toy.folder, { recursive: true });
    for (const name of ['remembered', 'compiled'])
      rmSync(join(temporary, name), { recursive: true, force: true });
    left.addAll('temporary folder', differences(listing(temporary), new Map([['beside/', '']])));
    return report(results, left, seed, (performance.now() - start) / 1000);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** A toy with a trained run and its index. */
async function makePlace(device: Device, beside: string): Promise<Place> {
  mkdirSync(beside);
  const toy = await makeToy(device);
  const session = await openToy(toy, device);
  await trainToy(toy, session, 'trained');
  const trained = runFolder(toy, 'trained');
  const fields = { data: { folder: toy.data }, clip: { folder: toy.clip }, run: { folder: trained } };
  await buildIndex(checkConfig(indexSchema, { ...fields, index: { shard: 5 } }), session);
  session.close();
  return { toy, device, trained, beside };
}

/** Prints what was done and found; whether all is well. */
function report(results: readonly Done[], left: Faults, seed: number, seconds: number): boolean {
  const done = [['', 'done', 'of', 'seconds', 'faults', 'what']];
  const grown = [['', 'middle', 'end', 'largest', 'growth', 'limit', '']];
  let faults = left.count;
  for (const { name, counts, done: number, asked, seconds: took, trends, faults: own, isLong } of results) {
    const what = Object.entries(counts).map(([of, times]) => `${of} ${times}`);
    done.push([name, `${number}`, `${asked}`, took.toFixed(0), `${own.count}`, what.join(', ')]);
    faults += own.count;
    for (const { name: of, values, largest, growth, limit, isFlat } of trends) {
      const cells = [...values, largest, growth, limit].map((value) =>
        value.toFixed(value % 1 === 0 ? 0 : 2),
      );
      grown.push([`${name}: ${of}`, ...cells, !isLong ? 'too short to tell' : isFlat ? 'flat' : 'GROWS']);
      if (isLong && !isFlat) faults++;
    }
  }
  console.log(textTable(done, [0, 5]).join('\n'));
  if (grown.length > 1) console.log(`\n${textTable(grown, [0, 6]).join('\n')}`);
  const lines = [
    ...left.lines,
    ...results.flatMap(({ name, faults: own }) => own.lines.map((line) => `${name}: ${line}`)),
  ];
  if (lines.length > 0) console.log(`\n${lines.join('\n')}`);
  const minutes = (seconds / 60).toFixed(1);
  console.log(`\nsoak: ${faults === 0 ? 'nothing' : faults} wrong, seed ${seed}, ${minutes} minutes`);
  return faults === 0;
}

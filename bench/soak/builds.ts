// Index builds in processes of their own that are killed at random moments, some in an empty folder and some in place of an
// index of another kind, which has to be there, whole, until the new one is. The finished index is an undisturbed one's.

import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { indexDtypes } from '../../ranking/index/format.ts';
import type { Toy } from '../../tests/support/toy-run.ts';
import { RandomStream } from '../../train/random-stream.ts';
import { differences, type Listing, listing } from './folders.ts';
import { Commands, drawMoment } from './killed.ts';
import { Faults, type PartOptions, type PartResult, progressOf, Tally } from './part.ts';

const headName = 'index.json';

/** `trained`: a run that can be indexed. `beside`: a folder to work in. */
export async function soakBuilds(
  { toy, trained, beside }: { toy: Toy; trained: string; beside: string },
  { asked, seed, until }: PartOptions,
): Promise<PartResult> {
  const start = performance.now();
  const draws = new RandomStream(seed);
  const [faults, tally, progress] = [new Faults(), new Tally(), progressOf('builds', asked)];
  const folder = join(beside, 'builds');
  const commands = new Commands(folder);
  const run = join(folder, 'run');
  const index = join(run, 'index');
  cpSync(trained, run, { recursive: true });
  rmSync(index, { recursive: true, force: true });
  const argsOf = (dtype: string) => [
    ...['index', '--data', toy.data, '--clip', toy.clip, '--run', run, '--cache', ''],
    ...['--shard', '3', '--dtype', dtype],
  ];
  const kinds = indexDtypes.slice(0, asked < 10 ? 1 : indexDtypes.length);
  const expected = new Map<string, { files: Listing; took: { first: number | null; all: number } }>();
  for (const dtype of kinds) {
    rmSync(index, { recursive: true, force: true });
    const took = await commands.must(argsOf(dtype));
    expected.set(dtype, { files: listing(run), took });
  }
  const remembered = listing(commands.remembered);

  let done = 0;
  for (; done < asked && performance.now() < until; done++) {
    const dtype = draws.pick(kinds);
    const { files, took } = expected.get(dtype)!;
    if (draws.uniform() < 0.4) rmSync(index, { recursive: true, force: true });
    const before = listing(run);
    const kills = draws.pick([1, 1, 1, 2, 3]);
    let isDone = false;
    for (let i = 0; i < kills && !isDone; i++) {
      const ended = await commands.run(argsOf(dtype), drawMoment(draws, took));
      if (ended.wasKilled) {
        tally.add('kills');
        faults.addAll(`${dtype}, killed`, brokenIndex(run, [before, files]));
      } else if (ended.code === 0) isDone = true;
      else faults.add(`${dtype}: exit code ${ended.code}\n${ended.stderr}`);
    }
    if (!isDone) {
      const ended = await commands.run(argsOf(dtype));
      if (ended.code !== 0) faults.add(`${dtype}, again: exit code ${ended.code}\n${ended.stderr}`);
    }
    tally.add(dtype);
    faults.addAll(
      `${dtype} after ${before.has(`index/${headName}`) ? 'another' : 'none'}`,
      differences(listing(run), files),
    );
    progress(done);
  }
  faults.addAll('temporary files', commands.leftOver());
  faults.addAll('remembered', differences(listing(commands.remembered), remembered));
  rmSync(folder, { recursive: true });
  const seconds = (performance.now() - start) / 1000;
  return { name: 'index builds', counts: tally.counts, done, asked, seconds, trends: [], faults };
}

/** An index.json that is there is one of the two, and all that it names is there as it was written. */
function brokenIndex(run: string, whole: readonly Listing[]): string[] {
  const found = listing(run);
  const head = found.get(`index/${headName}`);
  const isThere = whole[0]!.has(`index/${headName}`);
  if (head === undefined) return isThere ? [`${headName} is gone`] : [];
  const of = whole.find((one) => one.get(`index/${headName}`) === head);
  if (!of) return [`${headName} is neither the old one nor the new one`];
  const { shards, records } = JSON.parse(readFileSync(join(run, 'index', headName), 'utf8')) as {
    shards: { file: string }[];
    records: string;
  };
  return [...shards.map(({ file }) => file), records].flatMap((file) => {
    const name = `index/${file}`;
    return found.get(name) === of.get(name) ? [] : [`${file}, which ${headName} names, is missing or torn`];
  });
}

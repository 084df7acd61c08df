// Index builds in processes of their own that are killed at random moments, some in an empty folder and some in place of an
// index of another kind, which has to be there, whole, until the new one is. The finished index is an undisturbed one's.

import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { indexDtypes } from '../../ranking/index/format.ts';
import type { Toy } from '../../tests/support/toy-run.ts';
import { differences, type Listing, listing } from './folders.ts';
import { Commands } from './killed.ts';
import { beginPart, type PartOptions, type PartResult } from './part.ts';

const headName = 'index.json';

/** `trained`: a run that can be indexed. `beside`: a folder to work in. */
export async function soakBuilds(
  { toy, trained, beside }: { toy: Toy; trained: string; beside: string },
  options: PartOptions,
): Promise<PartResult> {
  const { asked, until } = options;
  const { draws, faults, tally, progress, result } = beginPart('index builds', options);
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
    const wrong = await commands.runWithKills(
      () => argsOf(dtype),
      { kills, draws, took },
      () => {
        tally.add('kills');
        faults.addAll(`${dtype}, killed`, brokenIndex(run, [before, files]));
      },
    );
    faults.addAll(dtype, wrong);
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
  return result(done);
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

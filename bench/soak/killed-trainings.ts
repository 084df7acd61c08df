// Trainings in processes of their own that are killed once to three times at random moments and then resumed: their files
// are an undisturbed training's. Half of them train in place of a finished one, which must be whole until the new one is.

import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Toy } from '../../tests/support/toy-run.ts';
import { trainingFiles } from '../../train/staging.ts';
import { differences, type Listing, listing } from './folders.ts';
import { Commands, tornFiles } from './killed.ts';
import { beginPart, type PartOptions, type PartResult } from './part.ts';

const kinds = ['text', 'text', 'multimodal', 'gate'] as const;

/** `trained`: a run with the experts that a gate needs. `beside`: a folder to work in. */
export async function soakKilledTrainings(
  { toy, trained, beside }: { toy: Toy; trained: string; beside: string },
  options: PartOptions,
): Promise<PartResult> {
  const { asked, until } = options;
  const { draws, faults, tally, progress, result } = beginPart('killed trainings', options);
  const folder = join(beside, 'killed');
  const commands = new Commands(folder);
  const cache = join(folder, 'cache');
  const run = join(folder, 'run');
  const argsOf = (kind: (typeof kinds)[number], ownSeed: number, out: string) => [
    ...['train', ...(kind === 'gate' ? ['gate'] : ['expert', '--expert', kind, '--prompt-depth', '1'])],
    ...['--data', toy.data, '--clip', toy.clip, '--cache', cache, '--run', out],
    ...['--batch', '8', '--epochs', '3', '--seed', `${ownSeed}`],
  ];
  /** An empty run, or one with the experts of a gate. */
  const begin = (kind: string, out: string) => {
    rmSync(out, { recursive: true, force: true });
    if (kind === 'gate') {
      for (const expert of ['text', 'multimodal']) {
        cpSync(join(trained, expert), join(out, expert), { recursive: true });
      }
    }
  };
  /** Of each kind what an undisturbed training writes, and how long it takes; and a finished run of another seed. */
  const undisturbed = new Map<
    string,
    { expected: Listing; took: { first: number | null; all: number }; old: string }
  >();
  const needed = [...new Set(kinds)].slice(0, asked);
  for (const kind of needed) {
    const old = join(folder, `old-${kind}`);
    begin(kind, old);
    await commands.must(argsOf(kind, 2, old));
    begin(kind, run);
    const took = await commands.must(argsOf(kind, 1, run));
    undisturbed.set(kind, { expected: listing(run), took, old });
  }
  const remembered = listing(commands.remembered);
  const features = listing(cache);

  let done = 0;
  for (; done < asked && performance.now() < until; done++) {
    const kind = draws.pick(kinds.filter((one) => undisturbed.has(one)));
    const { expected, took, old } = undisturbed.get(kind)!;
    const isOver = draws.uniform() < 0.5;
    begin(kind, run);
    if (isOver) cpSync(old, run, { recursive: true });
    // The caches are made under kills as well, now and then.
    if (draws.uniform() < 0.2) rmSync(cache, { recursive: true, force: true });
    const before = listing(run);
    const files = trainingFiles.map((file) => `${kind}/${file}`);
    const kills = 1 + draws.below(3);
    // Before its first epoch is finished there is nothing of its own to go on with, and the finished one is another's.
    const resume = () => (existsSync(join(`${run}/${kind}.new`, 'last.safetensors')) ? ['--resume'] : []);
    const args = () => [...argsOf(kind, 1, run), ...resume()];
    const wrong = await commands.runWithKills(args, { kills, draws, took }, () => {
      tally.add('kills');
      faults.addAll(`${kind}, killed`, tornFiles(run, files, [before, expected]));
    });
    faults.addAll(kind, wrong);
    tally.add(kind);
    faults.addAll(`${kind}${isOver ? ' in place of another' : ''}`, differences(listing(run), expected));
    // Since it was emptied it has what was asked for again, which need not be all.
    const cached = listing(cache);
    const known = new Map([...features].filter(([name]) => cached.has(name)));
    faults.addAll('cache', differences(cached, known));
    progress(done);
  }
  faults.addAll('temporary files', commands.leftOver());
  faults.addAll('remembered', differences(listing(commands.remembered), remembered));
  rmSync(folder, { recursive: true });
  return result(done);
}

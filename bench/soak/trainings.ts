// Trainings one after the other in one process: some plain, some stopped at a random step and resumed, each in place of a
// finished one. The files of each are those of the first of its kind, byte for byte but for the times in its log.

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import type { Device } from '../../engine/device.ts';
import { openToy, runFolder, stopAfter, type Toy, toyExpert, toyGate } from '../../tests/support/toy-run.ts';
import { trainExpert } from '../../train/experts/train-expert.ts';
import { trainGate } from '../../train/gating/train-gate.ts';
import type { TrainingHooks } from '../../train/hooks.ts';
import { differences, type Listing, listing } from './folders.ts';
import { MemoryWatch, ownMemory } from './memory.ts';
import { beginPart, drawByShare, type PartOptions, type PartResult } from './part.ts';

interface Training {
  name: string;
  /** How often of 100. */
  share: number;
  folder: string;
  train(hooks: TrainingHooks): Promise<unknown>;
}

/** Steps of a toy epoch. */
const steps = 5;

/** `trained`: a run with the experts that a gate needs. */
export async function soakTrainings(
  { toy, trained, device }: { toy: Toy; trained: string; device: Device },
  options: PartOptions,
): Promise<PartResult> {
  const { asked, until } = options;
  const { draws, faults, tally, progress, result } = beginPart('trainings', options);
  const session = await openToy(toy, device);
  const trainings: Training[] = [];
  for (const [kind, ownSeed, share] of [
    ['text', 1, 35],
    ['text', 2, 35],
    ['visual', 1, 10],
    ['multimodal', 1, 10],
  ] as const) {
    if (trainings.length === asked) break;
    const run = `${kind}-${ownSeed}`;
    const config = await toyExpert(toy, run, kind, { 'training.seed': ownSeed });
    trainings.push({
      name: kind,
      share,
      folder: join(runFolder(toy, run), kind),
      train: (hooks) => trainExpert(config, session, hooks),
    });
  }
  if (trainings.length < asked) {
    const run = runFolder(toy, 'gates');
    for (const kind of ['text', 'multimodal'])
      cpSync(join(trained, kind), join(run, kind), { recursive: true });
    const gate = await toyGate(toy, 'gates');
    trainings.push({
      name: 'gate',
      share: 10,
      folder: join(run, 'gate'),
      train: (hooks) => trainGate(gate, session, hooks),
    });
  }
  const expected = new Map<Training, Listing>();
  for (const training of trainings) {
    await training.train({});
    expected.set(training, listing(training.folder));
  }
  const cache = listing(join(toy.folder, 'cache'));
  const whole = [...listing(toy.folder).keys()];

  const watch = new MemoryWatch(() => ownMemory(device));
  let done = 0;
  for (; done < asked && performance.now() < until; done++) {
    await watch.at(done / asked);
    const training = drawByShare(trainings, draws);
    try {
      // A step that is beyond the last stops nothing.
      const stops = draws.uniform() < 0.3 ? 1 + draws.below(2) : 0;
      for (let i = 0; i < stops; i++) {
        const stopped = new Error('stopped');
        const hooks = { ...stopAfter(1 + draws.below(steps + 1), stopped), resume: i > 0 };
        await training.train(hooks).catch((error) => {
          if (error !== stopped) throw error;
          tally.add('stopped');
        });
      }
      await training.train({ resume: stops > 0 });
      tally.add(training.name);
      faults.addAll(training.name, differences(listing(training.folder), expected.get(training)!));
    } catch (error) {
      faults.add(`${training.name}: ${(error as Error).stack}`);
    }
    progress(done);
  }
  await watch.at(1);
  session.close();
  faults.addAll('cache', differences(listing(join(toy.folder, 'cache')), cache));
  const names = new Set([...listing(toy.folder).keys(), ...whole]);
  for (const name of names) {
    if (!whole.includes(name)) faults.add(`${name} is left over`);
  }
  return result(done, watch.trends());
}

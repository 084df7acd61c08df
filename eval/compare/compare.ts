// Trains and ranks systems on the same data by the same protocol, with the same seeds, and says how they differ: RUN/compare.json
// and RUN/compare.html. What is finished of each lies in RUN/NAME/seed-S; a second call goes on from there.

import { join } from 'node:path';
import { writeTextAtomically } from '../../files/atomic-file.ts';
import { lockFolder } from '../../files/folder-lock.ts';
import type { Session } from '../../link/session.ts';
import { checkConfig } from '../../train/config/check.ts';
import type { Preset } from '../../train/config/presets.ts';
import type { Hooks } from '../../train/hooks.ts';
import { type CompareConfig, compareSchema } from './compare-schema.ts';
import { type Comparison, readComparison, writeComparison } from './comparison-file.ts';
import { type Contender, contenders, isTrained } from './contenders.ts';
import { dataFingerprint, type FillHooks, fill, originHash } from './fill.ts';
import type { RowResults } from './kept-results.ts';
import { comparePairs, groupsOf, type Row, summarise } from './summarise.ts';

export interface CompareHooks extends Hooks {
  /** Told before a contender is trained and ranked; of what is kept from before, that it is. */
  onContender?: (contender: Contender, seed: number | null, isKept: boolean) => void;
}

export interface CompareFiles {
  comparison: Comparison;
  json: string;
  page: string;
}

/** What a contender came to with a seed, by the names of its rows. */
interface SeedResults {
  seed: number | null;
  rows: Readonly<Record<string, RowResults>>;
}

/**
 * Compares on an open session. The preset says how each system is trained, but for what the configuration says. Throws
 * ConfigError, InputError where another process writes the folder, and what trainings and ranking throw; what was finished
 * until then is kept.
 */
export async function compareSystems(
  config: CompareConfig,
  preset: Preset,
  session: Session,
  hooks: CompareHooks = {},
): Promise<CompareFiles> {
  const { compare, training, evaluation, ...places } = checkConfig(compareSchema, config);
  const run = places.run.folder;
  const { split } = evaluation;
  const { trainFraction, epochs } = training;
  const options = {
    ground: { session, preset: { ...preset, ...places }, split },
    data: await dataFingerprint(session),
    training: {
      'training.trainFraction': trainFraction,
      ...(epochs > 0 ? { 'training.epochs': epochs } : {}),
    },
  };
  const chosen = contenders.filter(({ name }) => compare.systems.includes(name));
  const results = new Map<Contender, SeedResults[]>(chosen.map((contender) => [contender, []]));
  // What is missing for any of them shows before the first is trained.
  for (const contender of chosen) {
    await originHash(options, contender, isTrained(contender) ? compare.seeds[0]! : null, run);
  }
  const lock = await lockFolder(run);
  try {
    for (const [turn, seed] of compare.seeds.entries()) {
      for (const contender of chosen) {
        if (!isTrained(contender) && turn > 0) continue;
        const own = isTrained(contender) ? seed : null;
        const folder = join(
          run,
          contender.firstStage ?? contender.name,
          own === null ? 'untrained' : `seed-${own}`,
        );
        results.get(contender)!.push({ seed: own, rows: await filled(contender, own, folder) });
      }
    }
    const rows = [...results].flatMap(([contender, own]) => rowsOf(contender, own));
    const mentions = session.dataset.splits[split];
    const groups = groupsOf(mentions);
    const json = join(run, 'compare.json');
    await writeComparison(json, {
      data: session.dataset.name,
      split,
      entities: session.dataset.entities.length,
      mentions: Object.fromEntries([...groups].map(([group, own]) => [group, own.length])),
      seeds: compare.seeds,
      trainFraction,
      epochs,
      device: session.device.description,
      systems: rows.map((row) => summarise(row, groups)),
      pairs: comparePairs(rows),
    });
    return { comparison: await readComparison(json), json, page: await writePage(run) };
  } finally {
    await lock.release();
  }

  async function filled(contender: Contender, seed: number | null, folder: string) {
    let isKept = true;
    const own: FillHooks = {
      ...hooks,
      onBegin(begun) {
        isKept &&= begun !== contender;
        hooks.onContender?.(begun, seed, false);
      },
    };
    const rows = await fill(options, contender, seed, folder, own);
    if (isKept) hooks.onContender?.(contender, seed, true);
    return rows;
  }
}

/** Makes RUN/compare.html of RUN/compare.json. Throws InputError. */
async function writePage(run: string): Promise<string> {
  const comparison = await readComparison(join(run, 'compare.json'));
  // What draws the charts is large.
  const { comparePage } = await import('./page/page.ts');
  const page = join(run, 'compare.html');
  await writeTextAtomically(page, comparePage(comparison));
  return page;
}

/** A contender's results by seed as those of its rows. */
function rowsOf(contender: Contender, results: readonly SeedResults[]): Row[] {
  return Object.keys(results[0]!.rows).map((name) => ({
    name,
    contender: contender.name,
    runs: results.map(({ seed, rows }) => ({ seed, results: rows[name]! })),
  }));
}

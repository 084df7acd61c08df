// Fills the cells of the ablations, one after another, and keeps what each came to in RUN/ablations.json: a cell that is
// there is not filled again.

import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { writeTextAtomically } from '../../files/atomic-file.ts';
import { InputError } from '../../files/errors.ts';
import { lockFolder } from '../../files/folder-lock.ts';
import { checkedJson, parseCheckedJson } from '../../files/json/checked-json.ts';
import { parseBySchema } from '../../files/json/schema.ts';
import { readText } from '../../files/read-text.ts';
import type { WorkStage } from '../pipeline.ts';
import { parseResults, type Results, readResults } from '../results.ts';
import { type AblationOptions, type Cell, cellsOf } from './cells.ts';

/** What cells came to, by their names. */
export type CellResults = Readonly<Record<string, Results>>;

/** Raise it when the form of ablations.json changes. */
const storeVersion = 3;

/** The file: cells belong together only if their settings were the same. */
const storeSchema = v.strictObject({
  version: v.literal(storeVersion),
  settings: v.record(v.string(), v.string()),
  cells: v.record(v.string(), v.unknown()),
});

interface Store {
  settings: Record<string, string>;
  cells: Record<string, Results>;
}

export interface AblationHooks {
  /** Does the stages of a cell, each from where it was interrupted. */
  run(folder: string, stages: readonly WorkStage[]): Promise<unknown>;
  onCell?: (name: string) => void;
}

/**
 * Fills what is not finished yet and returns all finished cells. Throws InputError when the folder has cells of other
 * settings or another process fills it, and what a stage throws.
 */
export async function runAblations(
  options: AblationOptions,
  { run, onCell }: AblationHooks,
): Promise<CellResults> {
  const lock = await lockFolder(options.run);
  try {
    return await fillCells(options, { run, ...(onCell ? { onCell } : {}) });
  } finally {
    await lock.release();
  }
}

async function fillCells(options: AblationOptions, { run, onCell }: AblationHooks): Promise<CellResults> {
  const path = join(options.run, 'ablations.json');
  const store = await openStore(path, options);
  for (const cell of cellsOf(options, (name) => store.cells[name] !== undefined)) {
    if (store.cells[cell.name]) continue;
    onCell?.(cell.name);
    const folder = join(options.run, cell.name);
    await takeShared(options.run, cell);
    await run(folder, cell.stages);
    const results = await readResults(join(folder, 'metrics.json'));
    const isOther = ({ madeFrom }: Results) => madeFrom.inputs !== results.madeFrom.inputs;
    if (Object.values(store.cells).some(isOther)) {
      throw new InputError(
        `${path}: has cells of another data set or CLIP than ${cell.name} is of; choose another folder`,
      );
    }
    store.cells[cell.name] = results;
    await writeTextAtomically(path, checkedJson({ version: storeVersion, ...store }, 2));
  }
  return store.cells;
}

/** The cells that `runAblations` would fill now, and whether each is finished. */
export async function listAblations(options: AblationOptions): Promise<(Cell & { isFinished: boolean })[]> {
  const store = await openStore(join(options.run, 'ablations.json'), options);
  return cellsOf(options, (name) => store.cells[name] !== undefined).map((cell) => ({
    ...cell,
    isFinished: store.cells[cell.name] !== undefined,
  }));
}

/** Copies the experts that another cell has trained, once. */
async function takeShared(run: string, { name, shared }: Cell): Promise<void> {
  for (const kind of shared?.experts ?? []) {
    const [from, to] = [join(run, shared!.from, kind), join(run, name, kind)];
    if (existsSync(to)) continue;
    await mkdir(join(run, name), { recursive: true });
    const half = `${to}.tmp`;
    await rm(half, { recursive: true, force: true });
    await cp(from, half, { recursive: true });
    await rename(half, to);
  }
}

async function openStore(path: string, options: AblationOptions): Promise<Store> {
  const { preset, split, fraction, training, gate } = options;
  const settings = {
    split,
    fraction: `${fraction}`,
    data: preset.data.folder,
    clip: preset.clip.folder,
    overrides: JSON.stringify({ ...training, ...gate }),
  };
  if (!existsSync(path)) return { settings, cells: Object.create(null) };
  const remedy = 'delete it to begin again, or choose another folder';
  const fields = parseCheckedJson(path, await readText(path), storeVersion, remedy);
  const store = parseBySchema(path, storeSchema, fields);
  for (const [name, value] of Object.entries(settings)) {
    const found = store.settings[name];
    if (found !== value) {
      throw new InputError(
        `${path}: belongs to ablations with ${name} '${found}', these have '${value}'; choose another folder`,
      );
    }
  }
  const cells: Store['cells'] = Object.create(null);
  for (const [name, cell] of Object.entries(store.cells))
    cells[name] = parseResults(`${path}: ${name}`, cell);
  return { settings, cells };
}

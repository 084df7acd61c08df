// Fills the cells of the ablations, one after another, and keeps what each came to in RUN/ablations.json: a cell that is
// there is not filled again.

import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../files/atomic-file.ts';
import { InputError } from '../../files/errors.ts';
import { readText } from '../../files/read-text.ts';
import type { WorkStage } from '../pipeline.ts';
import { type Results, readResults } from '../results.ts';
import { type AblationOptions, type Cell, cellsOf } from './cells.ts';

/** What cells came to, by their names. */
export type CellResults = Readonly<Record<string, Results>>;

/** Raise it when the form of ablations.json changes. */
const storeFormat = 2;

/** The file: cells belong together only if their settings were the same. */
interface Store {
  format: number;
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
 * settings, and what a stage throws.
 */
export async function runAblations(
  options: AblationOptions,
  { run, onCell }: AblationHooks,
): Promise<CellResults> {
  const path = join(options.run, 'ablations.json');
  const store = await openStore(path, options);
  for (const cell of cellsOf(options, (name) => store.cells[name] !== undefined)) {
    if (store.cells[cell.name]) continue;
    onCell?.(cell.name);
    const folder = join(options.run, cell.name);
    await takeShared(options.run, cell);
    await run(folder, cell.stages);
    store.cells[cell.name] = await readResults(join(folder, 'metrics.json'));
    await writeFileAtomically(path, (append) =>
      append(new TextEncoder().encode(`${JSON.stringify(store, null, 2)}\n`)),
    );
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
  if (!existsSync(path)) return { format: storeFormat, settings, cells: Object.create(null) };
  let store: Store;
  try {
    store = JSON.parse(await readText(path)) as Store;
  } catch {
    throw new InputError(`${path}: not valid JSON (cut off or damaged); delete it to begin again`);
  }
  if (store?.format !== storeFormat) {
    throw new InputError({
      file: path,
      field: 'format',
      expected: `${storeFormat}; choose another folder for these ablations`,
      found: `${store?.format ?? 'none'}`,
    });
  }
  for (const [name, value] of Object.entries(settings)) {
    const found = store.settings?.[name];
    if (found !== value) {
      throw new InputError(
        `${path}: belongs to ablations with ${name} '${found}', these have '${value}'; choose another folder`,
      );
    }
  }
  return { format: storeFormat, settings, cells: Object.assign(Object.create(null), store.cells) };
}

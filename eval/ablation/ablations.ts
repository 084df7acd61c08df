// Fills the cells of the ablations, one after another, and keeps what each came to in RUN/ablations.json: a
// cell that is there is not run again.

import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../files/atomic-file.ts';
import { UsageError } from '../../files/errors.ts';
import { readText } from '../../files/read-text.ts';
import { type Results, readResults } from '../results.ts';
import { commandLine, runStages } from '../stages.ts';
import { type AblationOptions, type Cell, cellsOf } from './cells.ts';

/** What cells came to, by their names. */
export type CellResults = Readonly<Record<string, Results>>;

/** The file: cells belong together only if their settings were the same. */
interface Store {
  settings: Record<string, string>;
  cells: Record<string, Results>;
}

/**
 * Runs what is not finished yet. Gives the exit code of the command that failed, else 0, and all finished
 * cells. Throws UsageError when the folder has cells of other settings.
 */
export async function runAblations(options: AblationOptions): Promise<{ code: number; cells: CellResults }> {
  const path = join(options.run, 'ablations.json');
  const store = await openStore(path, options);
  for (const cell of cellsOf(options, (name) => store.cells[name] !== undefined)) {
    if (store.cells[cell.name]) continue;
    console.log(`\n== ${cell.name}`);
    const folder = join(options.run, cell.name);
    await takeShared(options.run, cell);
    const { code } = await runStages(folder, cell.stages, true);
    if (code !== 0) return { code, cells: store.cells };
    store.cells[cell.name] = await readResults(join(folder, 'metrics.json'));
    await writeFileAtomically(path, (append) =>
      append(new TextEncoder().encode(`${JSON.stringify(store, null, 2)}\n`)),
    );
  }
  return { code: 0, cells: store.cells };
}

/** The commands that `runAblations` would run now. */
export async function listAblations(options: AblationOptions): Promise<string[]> {
  const store = await openStore(join(options.run, 'ablations.json'), options);
  return cellsOf(options, (name) => store.cells[name] !== undefined).flatMap(({ name, shared, stages }) => {
    if (store.cells[name]) return [`# ${name}: finished`];
    const taken = shared?.experts.map((kind) => `# ${kind} expert: that of ${shared.from}`) ?? [];
    return [`# ${name}`, ...taken, ...stages.map(commandLine)];
  });
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
  const { split, fraction, all, compute, training, gate } = options;
  const settings = {
    split,
    fraction: `${fraction}`,
    flags: [...all, ...compute, ...training, ...gate].join(' '),
  };
  if (!existsSync(path)) return { settings, cells: {} };
  let store: Store;
  try {
    store = JSON.parse(await readText(path)) as Store;
  } catch {
    throw new Error(`${path}: not valid JSON (cut off or damaged); delete it to begin again`);
  }
  for (const [name, value] of Object.entries(settings)) {
    const found = store.settings?.[name];
    if (found !== value) {
      throw new UsageError(
        `${path}: belongs to ablations with ${name} '${found}', these have '${value}'; choose another --run`,
      );
    }
  }
  return { settings, cells: store.cells ?? {} };
}

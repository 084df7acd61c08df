// Damages files that dsmip has written, at random places, and reads them: what is damaged is refused in one line that names it,
// or made again with a warning, or gives what it gave before. Anything else, a stack trace above all, fails.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import fc from 'fast-check';
import { InputError } from '../../files/errors.ts';
import { type Artefact, makeArtefacts } from './artefacts.ts';
import { anyDamage, type Damage, damaged } from './damage.ts';

/** How damaged files were answered. */
export type Outcomes = Record<'refused' | 'made again' | 'as before', number>;

/** Fuzzes `runs` times; throws with the seed and the smallest damage that was not answered as it should be. */
export async function fuzzArtefacts(
  { runs, seed }: { runs: number; seed: number },
  onRun?: (done: number) => void,
): Promise<Map<string, Outcomes>> {
  const root = mkdtempSync(join(tmpdir(), 'dsmip-fuzz-'));
  try {
    const artefacts = await makeArtefacts(root);
    const expected = new Map<Artefact, string>();
    for (const artefact of artefacts) expected.set(artefact, await artefact.read(notDamaged));
    const outcomes = new Map<string, Outcomes>();
    let done = 0;
    const owners = new Map(
      artefacts.flatMap((artefact) => artefact.files.map((file) => [relative(root, file), artefact])),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...owners.keys()), anyDamage, async (file, damage) => {
        const artefact = owners.get(file)!;
        const outcome = await outcomeOf(artefact, join(root, file), damage, expected.get(artefact)!);
        const own = outcomes.get(artefact.name) ?? { refused: 0, 'made again': 0, 'as before': 0 };
        own[outcome]++;
        outcomes.set(artefact.name, own);
        onRun?.(++done);
      }),
      { numRuns: runs, seed },
    );
    return outcomes;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function outcomeOf(
  artefact: Artefact,
  file: string,
  damage: Damage,
  expected: string,
): Promise<keyof Outcomes> {
  const before = new Map(artefact.files.map((own) => [own, new Uint8Array(readFileSync(own))]));
  const warnings: string[] = [];
  try {
    writeFileSync(file, damaged(before.get(file)!, damage));
    const found = await artefact.read((line) => warnings.push(line));
    for (const line of warnings) checkLine(line, file);
    if (warnings.length > 0) return 'made again';
    if (found === expected) return 'as before';
    throw new Error(`${artefact.name}: ${file}: silently something else`);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    checkLine(error.message, null);
    return 'refused';
  } finally {
    for (const [own, bytes] of before) writeFileSync(own, bytes);
  }
}

/** Throws for what is no short line; `file`: what it must name. */
function checkLine(line: string, file: string | null): void {
  const isLine = line.length < 1000 && !/\p{Cc}/u.test(line);
  if (!isLine || (file !== null && !line.includes(file)))
    throw new Error(`not a line: ${JSON.stringify(line)}`);
}

function notDamaged(line: string): void {
  throw new Error(`a whole file: ${line}`);
}

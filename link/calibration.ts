// RUN/calibration.json: what makes probabilities of a system's scores, and how much a name counts in them. A system's best
// entities e of a mention, names counted in, have the probabilities softmax(score_e / temperature); that the right one is
// in the knowledge base at all has the probability sigmoid(weights . features). Knows nothing of how they are fitted.

import * as v from 'valibot';
import type { NameMatch } from '../data/names/name-matches.ts';
import { InputError, MissingFileError, WeightsError } from '../files/errors.ts';
import { checkedJson, parseCheckedJson } from '../files/json/checked-json.ts';
import { parseBySchema } from '../files/json/schema.ts';
import { locate, readSmallText } from '../files/locate.ts';
import { type PairAdditions, type PairLists, pairLists } from '../ranking/pair-lists.ts';

/** Raise it when the meaning of a field changes. */
const calibrationVersion = 2;
export const calibrationName = 'calibration.json';
const mostBytes = 2 ** 20;

/** A mention's best entities that share the probability among them; others have next to none. */
export const probableEntities = 64;

/** What the probability of being in the knowledge base is made of, in this order. */
export const confidenceFeatures = ['constant', 'score', 'gap', 'exact', 'fuzzy'] as const;

const number = v.pipe(v.number('a number'), v.finite('a number'));
const systemSchema = v.strictObject({
  /** Of the checkpoints and the CLIP that it was fitted for. */
  fingerprint: v.string(),
  temperature: v.pipe(number, v.minValue(1e-9, 'a positive number')),
  /** What is added to the score of an entity whose name is the mention's word; times the similarity where it is nearly. */
  names: v.nullable(v.strictObject({ exact: number, fuzzy: number })),
  /** By name of a feature. */
  inKnowledgeBase: v.strictObject(
    Object.fromEntries(confidenceFeatures.map((name) => [name, number])) as Record<
      (typeof confidenceFeatures)[number],
      typeof number
    >,
  ),
  /** What it was fitted on and how well it does there; nothing reads it. */
  fit: v.record(v.string(), number),
});
export type Calibration = v.InferOutput<typeof systemSchema>;

const fileSchema = v.strictObject({
  version: v.literal(calibrationVersion),
  systems: v.record(v.string(), systemSchema),
});

/** The file of a run. */
export function calibrationFile(folder: string): string {
  return locate(folder, calibrationName);
}

/**
 * The calibration of a system of a run; null where it has none. `fingerprint`: the system's, null where that is not known.
 * Throws WeightsError for one that belongs to other weights, InputError for a damaged file.
 */
export async function readCalibration(
  folder: string,
  system: string,
  fingerprint: string | null,
): Promise<Calibration | null> {
  const found = (await readAll(folder))[system];
  if (!found) return null;
  if (fingerprint === null || found.fingerprint === fingerprint) return found;
  throw new WeightsError(
    `${calibrationFile(folder)}: ${system}: belongs to other weights than are there now; calibrate again`,
  );
}

/** Writes the calibration of a system beside those of others; a damaged or older file is told of and replaced. Throws InputError where it cannot. */
export async function writeCalibration(
  folder: string,
  system: string,
  calibration: Calibration,
  onWarning?: (line: string) => void,
): Promise<void> {
  const { mkdir } = await import('node:fs/promises');
  const { writeTextAtomically } = await import('../files/atomic-file.ts');
  const { lockName } = await import('../files/folder-lock.ts');
  await mkdir(folder, { recursive: true });
  const path = calibrationFile(folder);
  const lock = await lockName(path);
  try {
    const before = await readAll(folder).catch((error: unknown) => {
      if (!(error instanceof InputError)) throw error;
      onWarning?.(`${error.message}: it is written anew, for ${system} alone`);
      return {};
    });
    const systems = { ...before, [system]: calibration };
    await writeTextAtomically(path, checkedJson({ version: calibrationVersion, systems }, 2));
  } finally {
    await lock.release();
  }
}

async function readAll(folder: string): Promise<Record<string, Calibration>> {
  const path = calibrationFile(folder);
  let text: string;
  try {
    text = await readSmallText(path, mostBytes);
  } catch (error) {
    if (error instanceof MissingFileError) return {};
    throw error;
  }
  const fields = parseCheckedJson(path, text, calibrationVersion, 'calibrate again');
  return parseBySchema(path, fileSchema, fields).systems;
}

/** What a name adds to the score of its entity; nothing for an entity without. */
export function nameAddition(match: NameMatch | undefined, names: Calibration['names']): number {
  if (!match || !names) return 0;
  return match.kind === 'exact' ? names.exact : names.fuzzy * match.similarity;
}

/** The entities that the mentions' words may name. */
export function namedLists(matches: readonly (readonly NameMatch[])[]): PairLists {
  return pairLists(matches.map((own) => own.map(({ row }) => row)));
}

/** What names add to the scores of the mentions' named entities. */
export function nameAdditions(
  matches: readonly (readonly NameMatch[])[],
  names: Calibration['names'],
): PairAdditions {
  const values = matches.flatMap((own) =>
    own.toSorted((a, b) => a.row - b.row).map((match) => nameAddition(match, names)),
  );
  return { ...namedLists(matches), values: Float32Array.from(values) };
}

/** How sure an answer is. */
export interface Confidence {
  /** By entity, of being the right one if the right one is in the knowledge base. */
  probabilities: number[];
  /** That the right one is in the knowledge base. */
  inKnowledgeBase: number;
}

/** An entity and its score, names counted in. */
interface ScoredEntity {
  entity: number;
  score: number;
}

/** How sure a mention's best entities are, best first; `matches`: the entities that its word may name. */
export function confidenceOf(
  top: readonly ScoredEntity[],
  matches: readonly NameMatch[],
  calibration: Pick<Calibration, 'temperature' | 'names' | 'inKnowledgeBase'>,
): Confidence {
  const { temperature, inKnowledgeBase } = calibration;
  const features = confidenceFeaturesOf(top, matches, calibration);
  const logit = confidenceFeatures.reduce((sum, name, i) => sum + inKnowledgeBase[name] * features[i]!, 0);
  return { probabilities: softmax(top, temperature), inKnowledgeBase: 1 / (1 + Math.exp(-logit)) };
}

/**
 * The features of `confidenceFeatures`, of the first entity: its score without its name, and how much that is above the
 * best other one, both in units of the temperature; whether its name is the mention's word, or how nearly. What has only a
 * name for it is far below another.
 */
export function confidenceFeaturesOf(
  top: readonly ScoredEntity[],
  matches: readonly NameMatch[],
  { temperature, names }: Pick<Calibration, 'temperature' | 'names'>,
): number[] {
  const matchOf = (entity: number) => matches.find(({ row }) => row === entity);
  const [first, ...others] = top.map(
    ({ entity, score }) => (score - nameAddition(matchOf(entity), names)) / temperature,
  );
  const named = matchOf(top[0]?.entity ?? -1);
  const gap = others.length === 0 ? mostGap : first! - Math.max(...others);
  return [
    1,
    first ?? 0,
    Math.max(-mostGap, Math.min(mostGap, gap)),
    named?.kind === 'exact' ? 1 : 0,
    named?.kind === 'fuzzy' ? named.similarity : 0,
  ];
}

/** Larger differences tell nothing more. */
const mostGap = 10;

function softmax(top: readonly { score: number }[], temperature: number): number[] {
  const parts = top.map(({ score }) => Math.exp((score - top[0]!.score) / temperature));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / sum);
}

// A data set of a few mentions and a CLIP of a few thousand weights in a folder of their own, configurations for trainings
// on them, and a way to run the command on them.

import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import jpeg from 'jpeg-js';
import { entityText, mentionText } from '../../data/entity-mention.ts';
import { trainWordPiece } from '../../data/text/wordpiece/wordpiece-trainer.ts';
import { type Device, openDevice } from '../../engine/device.ts';
import { Random } from '../../engine/random.ts';
import { InputError } from '../../files/errors.ts';
import { openSession, type Session } from '../../link/session.ts';
import { Bert } from '../../model/bert/bert.ts';
import { saveBert } from '../../model/bert/save-bert.ts';
import { Clip } from '../../model/clip/clip.ts';
import { saveClip } from '../../model/clip/save-clip.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { initialise } from '../../model/initialise.ts';
import { type ConfigSchema, checkConfig, withValue } from '../../train/config/check.ts';
import {
  baselineConfigOf,
  expertConfigOf,
  gateConfigOf,
  readPreset,
  workConfigOf,
} from '../../train/config/presets.ts';
import {
  type BaselineTraining,
  baselineSchema,
  type EvaluationConfig,
  type ExpertTraining,
  evaluationSchema,
  expertSchema,
  type GateTraining,
  gateSchema,
} from '../../train/config/schemas.ts';
import { trainExpert } from '../../train/experts/train-expert.ts';
import { trainGate } from '../../train/gating/train-gate.ts';
import type { Hooks } from '../../train/hooks.ts';
import { tinyMerges, tinyVocabulary } from '../data/text/tiny-vocabulary.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const runtimeFlags = 'Deno' in globalThis ? ['run', '-A'] : [];

export interface Toy {
  folder: string;
  data: string;
  clip: string;
  /** Flags that name the toy and keep everything in its folder. */
  flags: string[];
}

const words = ['mouse', 'bat', 'crane', 'seal', 'mole', 'jaguar', 'kiwi', 'turkey'];

/**
 * Writes the toy: 16 entities in pairs of homonyms, 40 / 8 / 10 mentions; every third has no image. Its CLIP is made on the
 * device given, else on one that is gone afterwards: a test that starts processes with devices should hold none.
 */
export async function makeToy(shared?: Device): Promise<Toy> {
  const folder = mkdtempSync(join(tmpdir(), 'dsmip-toy-'));
  const [data, clip] = [join(folder, 'data'), join(folder, 'clip')];
  for (const name of ['data', 'data/kb_image', 'data/mention_image']) mkdirSync(join(folder, name));
  const write = (name: string, value: unknown) => writeFileSync(join(data, name), JSON.stringify(value));
  const entities = Array.from({ length: 16 }, (_, id) => ({
    id,
    qid: `Q${id}`,
    entity_name: words[id % 8],
    attr: id < 8 ? `animal fur number ${id}` : `machine steel number ${id}`,
    type: 'thing',
    image_list: id % 3 === 0 ? [] : [`Q${id}_0.jpg`, `Q${id}_1.jpg`],
  }));
  for (const { id, image_list } of entities) {
    image_list.forEach((name, i) => {
      writeImage(join(data, 'kb_image', name), 10 * id + i);
    });
  }
  write('kb_entity.json', entities);
  write('qid2id.json', Object.fromEntries(entities.map(({ qid, id }) => [qid, id])));
  for (const [split, count] of [
    ['train', 40],
    ['dev', 8],
    ['test', 10],
  ] as const) {
    const mentions = Array.from({ length: count }, (_, i) => {
      const id = (7 * i + count) % 16;
      const image = i % 3 === 0 ? '' : `${split}${i}.jpg`;
      if (image !== '') writeImage(join(data, 'mention_image', image), 10 * id + 5);
      const sentence = id < 8 ? `the animal with fur ran away ${i}` : `a machine made of steel ${i}`;
      return { id: i, sentence, mentions: words[id % 8], entities: '', answer: `Q${id}`, imgPath: image };
    });
    write(`toy_${split}.json`, mentions);
  }
  const device = shared ?? (await openDevice());
  const stack = (width: number) => ({ width, hidden: 2 * width, heads: 2, layers: 2 });
  const config = {
    text: { ...stack(8), vocabulary: Object.keys(tinyVocabulary).length, maxLength: 24 },
    vision: { ...stack(12), imageSize: 16, patchSize: 8 },
    projection: 8,
  };
  const ids = { bosId: tinyVocabulary['<|startoftext|>']!, eosId: tinyVocabulary['<|endoftext|>']! };
  const { tensors } = initialise(device, new Random(3), (p) => new Clip(p, config));
  await saveClip(clip, config, tensors, { vocab: tinyVocabulary, merges: tinyMerges, ...ids });
  if (!shared) device.destroy();
  const flags = ['--data', data, '--clip', clip, '--cache', join(folder, 'cache')];
  return { folder, data, clip, flags };
}

export function removeToy({ folder }: Toy): void {
  rmSync(folder, { recursive: true });
}

/** The toy's session; on a device that is handed in it shares the kernels that were compiled there. */
export function openToy({ data, clip, folder }: Toy, device: Device): Promise<Session> {
  return openSession({ data, clip, cache: join(folder, 'cache'), device });
}

/** Writes a BERT of a few thousand weights, with WordPiece of the toy's own texts, into a folder below `folder`; gives that. */
export async function makeToyBert(folder: string, { device, dataset }: Session): Promise<string> {
  const bert = join(folder, 'bert');
  const texts = [
    ...dataset.entities.map(entityText),
    ...dataset.splits.train.map((mention) => mentionText(mention)),
  ];
  const tokens = trainWordPiece(texts, { vocabularySize: 200, minFrequency: 1 });
  const config = {
    width: 16,
    hidden: 32,
    heads: 2,
    layers: 1,
    vocabulary: tokens.length,
    maxLength: 64,
    types: 2,
    eps: 1e-12,
  };
  const { tensors } = initialise(device, new Random(1), (p) => new Bert(p, config));
  await saveBert(bert, config, tensors, tokens);
  return bert;
}

/** Values by the paths of a configuration's fields. */
type Overrides = Readonly<Record<string, unknown>>;

/** What the toy's trainings are told unless a test tells them otherwise. */
const small: Overrides = { 'training.batchSize': 8, 'training.epochs': 1 };

/** The configuration of an expert's training on the toy, in a run of this name. */
export async function toyExpert(
  toy: Toy,
  run: string,
  kind: ExpertKind,
  overrides: Overrides = {},
): Promise<ExpertTraining> {
  const base = expertConfigOf(await readPreset('openconcepts'), kind);
  const quick = { 'expert.prompts.depth': 1, 'training.learningRate': 0.005, 'training.unitEpochs': 0 };
  return configured(expertSchema, toy, run, base, { ...small, ...quick, ...overrides });
}

/** The same of the gate's. */
export async function toyGate(toy: Toy, run: string, overrides: Overrides = {}): Promise<GateTraining> {
  const base = gateConfigOf(await readPreset('openconcepts'));
  return configured(gateSchema, toy, run, base, { ...small, ...overrides });
}

/** The same of a baseline's. */
export async function toyBaseline(
  toy: Toy,
  run: string,
  system: string,
  overrides: Overrides = {},
): Promise<BaselineTraining> {
  const base = baselineConfigOf(await readPreset('openconcepts'), system);
  return configured(baselineSchema, toy, run, base, { ...small, ...overrides });
}

/** The same of an evaluation. */
export async function toyEvaluation(
  toy: Toy,
  run: string,
  overrides: Overrides = {},
): Promise<EvaluationConfig> {
  const base = workConfigOf(await readPreset('openconcepts'), 'evaluation');
  return configured(evaluationSchema, toy, run, base, overrides);
}

/** Trains a text and a multimodal expert and a gate in a run of this name. */
export async function trainToy(toy: Toy, session: Session, run: string): Promise<void> {
  for (const kind of ['text', 'multimodal'] as const) {
    await trainExpert(await toyExpert(toy, run, kind), session);
  }
  await trainGate(await toyGate(toy, run), session);
}

/** The folder of a run of the toy. */
export function runFolder(toy: Toy, run: string): string {
  return join(toy.folder, run);
}

function configured<S extends ConfigSchema>(
  schema: S,
  toy: Toy,
  run: string,
  base: object,
  overrides: Overrides,
) {
  const all = {
    'data.folder': toy.data,
    'clip.folder': toy.clip,
    'cache.folder': join(toy.folder, 'cache'),
    'run.folder': runFolder(toy, run),
    ...overrides,
  };
  const value = Object.entries(all).reduce((config, [path, own]) => withValue(config, path, own), base);
  return checkConfig(schema, value);
}

/** Runs the command `dsmip` to its end, in a process of its own. */
export function dsmip(...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, commandOf(args), { encoding: 'utf8' });
}

/** The arguments of a runtime that are the command `dsmip`. */
export function commandOf(args: readonly string[]): string[] {
  return [...runtimeFlags, join(root, 'cli/dsmip.ts'), ...args];
}

/**
 * Starts a command three times and kills it each time, at a random moment after its first output; from the second time on
 * it is told to resume. Says how long after, in milliseconds; null for one that was done before.
 */
export async function killThrice(
  args: readonly string[],
  most = 500,
  resume: readonly string[] = ['--resume'],
): Promise<(number | null)[]> {
  const delays: (number | null)[] = [];
  for (let i = 0; i < 3; i++) {
    const child = spawn(process.execPath, commandOf([...args, ...(i === 0 ? [] : resume)]));
    const delay = Math.round(Math.random() * most);
    const ended = new Promise<string | null>((resolve) => child.on('close', (_, signal) => resolve(signal)));
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), delay));
    delays.push((await ended) === 'SIGKILL' ? delay : null);
  }
  return delays;
}

/** Hooks that stop a training once it has taken so many steps. */
export function stopAfter(steps: number, reason?: Error): Pick<Hooks, 'signal' | 'onProgress'> {
  const stop = new AbortController();
  return {
    signal: stop.signal,
    onProgress({ task, done }) {
      if (task === 'training' && done === steps) stop.abort(reason);
    },
  };
}

/** The one line that a refused piece of work says. */
export async function refusal(work: () => Promise<unknown>): Promise<Error> {
  try {
    await work();
  } catch (error) {
    if (error instanceof InputError && !error.message.includes('\n')) return error;
    throw error;
  }
  throw new Error('expected a refusal');
}

/** A file of a run as text that can be compared. */
export function bytesOf(...path: readonly string[]): string {
  return readFileSync(join(...path)).toString('base64');
}

/** What a script wrote to stderr, without the driver's own warnings. */
export function complaint(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Warning: max'));
  return lines.join('\n');
}

/** The metrics of all steps, without their times and checksums. */
export function losses(run: string): unknown[] {
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => ({
    ...(JSON.parse(line) as Record<string, unknown>),
    seconds: 0,
    checksum: '',
  }));
}

/** A small picture that a number decides. */
function writeImage(file: string, seed: number): void {
  const [width, height] = [20, 18];
  const data = new Uint8Array(4 * width * height);
  for (let i = 0; i < data.length; i++) data[i] = i % 4 === 3 ? 255 : (seed * 37 * ((i % 4) + 1) + i) % 256;
  writeFileSync(file, jpeg.encode({ data, width, height }, 90).data);
}

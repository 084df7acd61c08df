// A data set of a few mentions and a CLIP of a few thousand weights in a folder of their own, and a way to run the
// training and evaluation scripts on them. Made by a process of its own: a test process that opens a device and starts
// children that do too would hold two.

import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import jpeg from 'jpeg-js';
import { openDevice } from '../../engine/device.ts';
import { Random } from '../../engine/random.ts';
import { Clip } from '../../model/clip/clip.ts';
import { saveClip } from '../../model/clip/save-clip.ts';
import { initialise } from '../../model/initialise.ts';
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

/** Writes the toy: 16 entities in pairs of homonyms, 40 / 8 / 10 mentions; every third has no image. */
export async function makeToy(): Promise<Toy> {
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
  const device = await openDevice();
  const stack = (width: number) => ({ width, hidden: 2 * width, heads: 2, layers: 2 });
  const config = {
    text: { ...stack(8), vocabulary: Object.keys(tinyVocabulary).length, maxLength: 24 },
    vision: { ...stack(12), imageSize: 16, patchSize: 8 },
    projection: 8,
  };
  const ids = { bosId: tinyVocabulary['<|startoftext|>']!, eosId: tinyVocabulary['<|endoftext|>']! };
  const { tensors } = initialise(device, new Random(3), (p) => new Clip(p, config));
  await saveClip(clip, config, tensors, { vocab: tinyVocabulary, merges: tinyMerges, ...ids });
  device.destroy();
  const flags = ['--data', data, '--clip', clip, '--cache', join(folder, 'cache')];
  return { folder, data, clip, flags };
}

export function removeToy({ folder }: Toy): void {
  rmSync(folder, { recursive: true });
}

/** Runs a script of the repository to its end. */
export function script(file: string, flags: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [...runtimeFlags, join(root, file), ...flags], { encoding: 'utf8' });
}

/**
 * Starts a training script three times and kills it each time, at a random moment after its first output; from the second
 * time on it resumes. Says how long after, in milliseconds; null for a training that was done before.
 */
export async function killThrice(file: string, flags: readonly string[]): Promise<(number | null)[]> {
  const delays: (number | null)[] = [];
  for (let i = 0; i < 3; i++) {
    const resume = i === 0 ? [] : ['--resume'];
    const child = spawn(process.execPath, [...runtimeFlags, join(root, file), ...flags, ...resume]);
    const delay = Math.round(Math.random() * 500);
    const ended = new Promise<string | null>((resolve) => child.on('close', (_, signal) => resolve(signal)));
    child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), delay));
    delays.push((await ended) === 'SIGKILL' ? delay : null);
  }
  return delays;
}

/** What a script wrote to stderr, without the driver's own warnings. */
export function complaint(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Warning: max'));
  return lines.join('\n');
}

/** The metrics of all steps, without their times. */
export function losses(run: string): unknown[] {
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => ({ ...(JSON.parse(line) as Record<string, unknown>), seconds: 0 }));
}

/** A small picture that a number decides. */
function writeImage(file: string, seed: number): void {
  const [width, height] = [20, 18];
  const data = new Uint8Array(4 * width * height);
  for (let i = 0; i < data.length; i++) data[i] = i % 4 === 3 ? 255 : (seed * 37 * ((i % 4) + 1) + i) % 256;
  writeFileSync(file, jpeg.encode({ data, width, height }, 90).data);
}

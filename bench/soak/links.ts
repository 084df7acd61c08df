// Links by the tens of thousands through one device: large calls, single ones, ones that overlap with different options, ones
// that are given up, pictures that can and cannot be read, and linkers that are closed and opened again. Every answer is held
// against that of an undisturbed call.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Device } from '../../engine/device.ts';
import { type Linked, type LinkMention, type LinkOptions, openLinker } from '../../link/linker.ts';
import { MemoryWatch, ownMemory } from './memory.ts';
import { beginPart, drawByShare, type PartOptions, type PartResult } from './part.ts';

/** What may be asked for, and how often of 100 calls. */
const options: readonly { share: number; of: LinkOptions }[] = [
  { share: 60, of: { top: 5 } },
  { share: 25, of: { top: 16 } },
  { share: 10, of: { top: 3, explain: true } },
  { share: 5, of: { top: 3, candidates: 4 } },
];
/** Mentions of the largest call. */
const most = 128;
/** Linkers that are opened one after the other. */
const linkers = 20;
/** Scores depend a little on how many are computed together, by the order of sums. */
const tolerance = 1e-4;

type Scored = Pick<Linked, 'qid' | 'score'>;

const words = ['mouse', 'bat', 'crane', 'seal', 'mole', 'jaguar', 'kiwi', 'turkey', 'Mice', 'unheard of'];
const sentences = ['the animal with fur ran away', 'a machine made of steel', 'it'];

export async function soakLinks(
  { run, pictures, device }: { run: string; pictures: string; device: Device },
  told: PartOptions,
): Promise<PartResult> {
  const { asked, until } = told;
  const { draws, faults, tally, progress, result } = beginPart('links', told);
  const watch = new MemoryWatch(() => ownMemory(device));
  const mentions = mentionsWith(pictures);
  const isBroken = (mention: number) => mention % 5 === 4;
  let [warnings, expectedWarnings, done] = [0, 0, 0];
  const open = () => openLinker({ run, device, onWarning: () => warnings++ });
  let linker = await open();
  const expected: Linked[][][] = [];
  for (const { of } of options) expected.push(await linker.link(mentions, of));
  warnings = 0;
  const isShort = asked < most * linkers;
  let closedBytes: number | null = null;

  /** One call; what it must not do is a fault. */
  const call = async (size: number, giveUp: 'no' | 'at once' | 'later' = 'no'): Promise<void> => {
    const kind = options.indexOf(drawByShare(options, draws));
    // Candidates are scored pair by pair, and large calls of them would be most of the time.
    const count = options[kind]!.of.candidates ? Math.min(size, 8) : size;
    const rows = Array.from({ length: count }, () => draws.below(mentions.length));
    const stop = new AbortController();
    const reason = new Error('given up');
    if (giveUp === 'at once') queueMicrotask(() => stop.abort(reason));
    if (giveUp === 'later') setTimeout(() => stop.abort(reason), draws.between(0, 150));
    const asked = rows.map((row) => mentions[row]!);
    const own = giveUp === 'no' ? options[kind]!.of : { ...options[kind]!.of, signal: stop.signal };
    try {
      const found = await linker.link(asked, own);
      tally.add('links', count);
      expectedWarnings += rows.filter(isBroken).length;
      for (const [i, row] of rows.entries()) {
        if (!isSame(found[i]!, expected[kind]![row]!)) {
          faults.add(`mention ${row}, options ${kind}: another answer in a call of ${count}`);
        }
      }
    } catch (error) {
      if (error === reason) tally.add('given up', count);
      else faults.add(`a call of ${count}: ${(error as Error).stack}`);
    }
    done += count;
  };

  const kinds: readonly { share: number; run: () => Promise<unknown> }[] = [
    { share: 70, run: () => call(isShort ? 32 : most) },
    { share: 10, run: () => call(1) },
    {
      share: 20,
      run: () => {
        const several = Array.from({ length: 2 + draws.below(10) }, () => {
          const giveUp = draws.uniform() < 0.2 ? draws.pick(['at once', 'later'] as const) : 'no';
          return call(1 + draws.below(16), giveUp);
        });
        tally.add('overlapping calls', several.length);
        return Promise.all(several);
      },
    },
  ];
  for (let opened = 1; done < asked && performance.now() < until; ) {
    await watch.at(done / asked);
    await drawByShare(kinds, draws).run();
    progress(done);
    if (done < (opened * asked) / linkers) continue;
    opened++;
    await linker.close();
    const { liveBytes } = device.counters;
    if (closedBytes !== null && liveBytes !== closedBytes) {
      faults.add(`a closed linker has left ${liveBytes - closedBytes} bytes on the device`);
    }
    closedBytes = liveBytes;
    linker = await open();
  }
  await watch.at(1);
  await linker.close();
  if (warnings !== expectedWarnings) {
    faults.add(`${warnings} warnings about pictures that cannot be read, expected ${expectedWarnings}`);
  }
  tally.add('warnings', warnings);
  return result(done, watch.trends());
}

/** Mentions of all kinds: every fifth has a picture that can be read as a path, every fifth as bytes, every fifth a broken one. */
function mentionsWith(pictures: string): LinkMention[] {
  const path = join(pictures, 'train1.jpg');
  const bytes = new Uint8Array(readFileSync(join(pictures, 'train2.jpg')));
  const images = [null, null, path, bytes, bytes.slice(0, 100)];
  return Array.from({ length: words.length * sentences.length }, (_, i) => ({
    word: words[i % words.length]!,
    sentence: sentences[Math.floor(i / words.length)]!,
    image: images[i % images.length]!,
  }));
}

/** The same entities with the same scores; of equal scores the order does not count. */
export function isSame(found: readonly Scored[], expected: readonly Scored[]): boolean {
  const isNear = (a: number, b: number) => Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));
  return (
    found.length === expected.length &&
    found.every(({ qid, score }, i) => {
      const other = expected[i]!;
      return isNear(score, other.score) && (qid === other.qid || hasTie(expected, i, isNear));
    })
  );
}

/** Whether another entity near this place has the same score, or the place is the last, whose rival is not seen. */
function hasTie(expected: readonly Scored[], at: number, isNear: (a: number, b: number) => boolean): boolean {
  if (at === expected.length - 1) return true;
  return expected.some(({ score }, i) => i !== at && isNear(score, expected[at]!.score));
}

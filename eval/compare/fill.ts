// What a contender comes to with one seed: from its folder where it is all there, else trained and ranked, from where that was
// interrupted.

import { imageStamps } from '../../encoding/samples.ts';
import { hashOf } from '../../files/fingerprint.ts';
import { encoderHashes } from '../../link/baselines/own-encoders.ts';
import { originOf, type Session } from '../../link/session.ts';
import { findBaseline } from '../../model/baselines/registry.ts';
import type { Hooks } from '../../train/hooks.ts';
import type { Overrides } from '../pipeline.ts';
import type { Contender } from './contenders.ts';
import { openTrainings, type RowResults, readRanks, writeMadeFrom, writeRanks } from './kept-results.ts';
import { type Ground, type Ranked, rankContender } from './rank-contender.ts';
import { trainingSeconds, trainingsOf } from './trainings.ts';

export interface FillOptions {
  ground: Ground;
  /** Hash of the data set, see `dataFingerprint`. */
  data: string;
  /** Values of all trainings that are not the preset's. */
  training: Overrides;
}

export interface FillHooks extends Hooks {
  /** Told before the work begins; not where there is nothing to do. */
  onBegin: () => void;
}

/**
 * The rows of a contender with a seed, null for one without training. Throws ConfigError, what trainings and ranking throw, and
 * the signal's reason; what was finished until then is kept.
 */
export async function fill(
  { ground, data, training }: FillOptions,
  contender: Contender,
  seed: number | null,
  folder: string,
  hooks: FillHooks,
): Promise<Readonly<Record<string, RowResults>>> {
  const { session, preset, split } = ground;
  const trainings = trainingsOf(preset, contender, seed, folder, training);
  const encoders = contender.system === null ? [] : findBaseline(contender.system)!.encoders;
  const madeFrom = hashOf([
    data,
    JSON.stringify([originOf(session), await encoderHashes(session, encoders), contender.options]),
    ...trainings.map(({ settings }) => settings),
  ]);
  const fingerprint = hashOf([madeFrom, split]);
  const kept = await readRanks(folder, fingerprint);
  if (kept) return kept;

  hooks.onBegin();
  const names = trainings.map(({ name }) => name);
  const files = await openTrainings(folder, madeFrom, names);
  for (const { name, train } of trainings) {
    hooks.signal?.throwIfAborted();
    await train(session, {
      ...hooks,
      resume: true,
      onEvent(event) {
        if (event.type === 'memory') files.peakBytes[name] = event.bytes;
        hooks.onEvent?.(event);
      },
    });
    await writeMadeFrom(folder, files);
  }
  const ranked = await rankContender(ground, contender, seed === null ? null : folder, hooks);
  const seconds: Record<string, number> = {};
  for (const name of names) seconds[name] = await trainingSeconds(folder, name);
  const rows = Object.fromEntries(ranked.map((row) => [row.name, rowOf(row, seconds, files.peakBytes)]));
  await writeRanks(folder, fingerprint, rows);
  return rows;
}

function rowOf(
  { title, trainings, parameters, measured }: Ranked,
  seconds: Readonly<Record<string, number>>,
  peakBytes: Readonly<Record<string, number>>,
): RowResults {
  const isTrained = trainings.length > 0;
  const isKnown = isTrained && trainings.every((name) => peakBytes[name] !== undefined);
  return {
    title,
    ranks: measured.ranks,
    parameters,
    bytesPerEntity: measured.bytesPerEntity,
    seconds: {
      train: isTrained ? trainings.reduce((sum, name) => sum + seconds[name]!, 0) : null,
      ...measured.seconds,
    },
    peakBytes: {
      train: isKnown ? Math.max(...trainings.map((name) => peakBytes[name]!)) : null,
      rank: measured.peakBytes,
    },
  };
}

/** Hash of all that a session's data set has: texts, answers, and the contents of its pictures. */
export async function dataFingerprint({ inputs, corpus }: Session): Promise<string> {
  const samples = [corpus.entities, corpus.mentions.train, corpus.mentions.dev, corpus.mentions.test];
  const stamps = await imageStamps(corpus.files);
  return hashOf([
    inputs,
    corpus.gold.test,
    ...samples.map(({ texts, images }) => JSON.stringify([texts, images])),
    ...stamps,
  ]);
}

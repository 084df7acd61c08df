// What a contender comes to with one seed: from its folder where it is all there, else trained and ranked, from where that was
// interrupted.

import { imageStamps } from '../../encoding/samples.ts';
import { hashOf } from '../../files/fingerprint.ts';
import { encoderHashes } from '../../link/baselines/own-encoders.ts';
import { originOf, type Session } from '../../link/session.ts';
import type { EncoderName } from '../../model/baselines/baseline.ts';
import { findBaseline } from '../../model/baselines/registry.ts';
import { findReranker } from '../../model/baselines/rerankers.ts';
import type { Hooks } from '../../train/hooks.ts';
import type { Overrides } from '../pipeline.ts';
import { type Contender, firstStageOf } from './contenders.ts';
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
  /** Told before a contender's work begins; not where there is nothing to do. */
  onBegin: (contender: Contender) => void;
}

/**
 * The rows of a contender with a seed, null for one without training; of a reranker its first stage is filled before it. `folder`
 * is that of the first stage then. Throws ConfigError, what trainings and ranking throw, and the signal's reason; what was
 * finished until then is kept.
 */
export async function fill(
  options: FillOptions,
  contender: Contender,
  seed: number | null,
  folder: string,
  hooks: FillHooks,
): Promise<Readonly<Record<string, RowResults>>> {
  const { ground, training } = options;
  const stage = firstStageOf(contender);
  const first = stage && (await fill(options, stage, seed, folder, hooks))[stage.name]!;
  const trainings = trainingsOf(ground.preset, contender, seed, folder, training);
  const madeFrom = await originHash(options, contender, seed, folder);
  const fingerprint = hashOf([madeFrom, ground.split]);
  const place = { folder, name: contender.name };
  const kept = await readRanks(place, fingerprint, hooks.onWarning);
  if (kept) return kept;

  hooks.onBegin(contender);
  const names = trainings.map(({ name }) => name);
  const files = await openTrainings(place, madeFrom, names, hooks.onWarning);
  for (const { name, train } of trainings) {
    hooks.signal?.throwIfAborted();
    await train(ground.session, {
      ...hooks,
      resume: true,
      onEvent(event) {
        if (event.type === 'memory') files.peakBytes[name] = event.bytes;
        hooks.onEvent?.(event);
      },
    });
    await writeMadeFrom(place, files);
  }
  const run = seed === null ? null : folder;
  const ranked = await rankContender(ground, contender, run, first, hooks);
  const peaks = { ...files.peakBytes, ...(stage && { [stage.system!]: first!.peakBytes.train }) };
  const seconds: Record<string, number> = {};
  for (const name of new Set(ranked.flatMap(({ trainings }) => trainings))) {
    seconds[name] = await trainingSeconds(folder, name);
  }
  const rows = Object.fromEntries(ranked.map((row) => [row.name, rowOf(row, seconds, peaks)]));
  await writeRanks(place, fingerprint, rows);
  return rows;
}

/**
 * Hash of all that decides what a contender's trainings come to. Throws ConfigError, and WeightsError where its encoders cannot be
 * read.
 */
export async function originHash(
  options: FillOptions,
  contender: Contender,
  seed: number | null,
  folder: string,
): Promise<string> {
  const { ground, data, training } = options;
  const { session, preset } = ground;
  const stage = firstStageOf(contender);
  const trainings = trainingsOf(preset, contender, seed, folder, training);
  return hashOf([
    data,
    stage ? await originHash(options, stage, seed, folder) : '',
    JSON.stringify([await originOf(session), await encoderHashes(session, encodersOf(contender))]),
    JSON.stringify(contender.options),
    ...trainings.map(({ settings }) => settings),
  ]);
}

function encodersOf({ system }: Contender): readonly EncoderName[] {
  if (system === null) return [];
  return (findReranker(system) ?? findBaseline(system))!.encoders;
}

function rowOf(
  { title, trainings, parameters, recall, measured }: Ranked,
  seconds: Readonly<Record<string, number>>,
  peakBytes: Readonly<Record<string, number | null>>,
): RowResults {
  const isTrained = trainings.length > 0;
  const peaks = trainings.flatMap((name) => peakBytes[name] ?? []);
  return {
    title,
    ranks: measured.ranks,
    parameters,
    recall,
    bytesPerEntity: measured.bytesPerEntity,
    seconds: {
      train: isTrained ? trainings.reduce((sum, name) => sum + seconds[name]!, 0) : null,
      ...measured.seconds,
    },
    peakBytes: {
      train: isTrained && peaks.length === trainings.length ? Math.max(...peaks) : null,
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

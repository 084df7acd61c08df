// Rerankers as a run has them, whose best epochs lie in RUN/SYSTEM beside their first stage's.

import type { Split } from '../../data/dataset.ts';
import { Random } from '../../engine/random.ts';
import { contentStamp } from '../../files/content-stamp.ts';
import { UsageError, WeightsError } from '../../files/errors.ts';
import { isThere } from '../../files/locate.ts';
import { trainedTensors } from '../../model/baselines/baseline.ts';
import { buildReranker, findReranker, rerankers } from '../../model/baselines/rerankers.ts';
import type { AnyReranker } from '../../model/baselines/trained-reranker.ts';
import { loadParameters, readAbout } from '../../model/checkpoint.ts';
import { rankTwoStages, type TwoStages } from '../../ranking/two-stages.ts';
import { checkInputs } from '../model-base.ts';
import type { Session } from '../session.ts';
import { bestFile } from '../trained.ts';
import { firstStages } from './first-stage.ts';
import { encoderHashes, ownEncoders } from './own-encoders.ts';
import { type LoadedBaseline, loadBaseline } from './trained-baselines.ts';

/** The trained rerankers that a run has. */
export async function trainedRerankersOf(run: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of Object.keys(rerankers)) if (await isThere(bestFile(run, name))) found.push(name);
  return found;
}

export interface LoadedReranker {
  reranker: AnyReranker;
  /** What proposes its candidates. */
  first: LoadedBaseline;
  /** Releases the weights of both. */
  release(): void;
}

/**
 * Loads a run's reranker and its first stage. Throws UsageError for a system that is no reranker, WeightsError for a checkpoint
 * that is missing, damaged or of another first stage.
 */
export async function loadReranker(session: Session, run: string, name: string): Promise<LoadedReranker> {
  const system = findReranker(name);
  if (!system) throw new UsageError(`${name}: is no reranker`);
  const path = bestFile(run, name);
  const about = await readAbout(path);
  checkInputs(path, about, session);
  if (about.madeFrom['firstStage'] !== (await contentStamp(bestFile(run, system.firstStage)))) {
    throw new WeightsError(`${path}: was trained after another ${system.firstStage}; train it again`);
  }
  for (const [encoder, hash] of Object.entries(await encoderHashes(session, system.encoders))) {
    if (about.madeFrom[encoder] === hash) continue;
    throw new WeightsError(`${path}: was trained from another ${encoder.toUpperCase()}`);
  }
  const { baseline: fields } = about.config as { baseline?: { options?: unknown } };
  const parts = {
    device: session.device,
    clip: session.clip,
    own: ownEncoders(session),
    random: new Random(0),
  };
  const reranker = await buildReranker(name, parts, `${path}: config`, fields?.options ?? {});
  const parameters = trainedTensors(reranker);
  const releaseOwn = () => {
    for (const tensor of parameters.values()) tensor.release();
  };
  try {
    await loadParameters(path, parameters);
    const first = await loadBaseline(session, run, system.firstStage);
    return {
      reranker,
      first,
      release() {
        first.release();
        releaseOwn();
      },
    };
  } catch (error) {
    releaseOwn();
    throw error;
  }
}

/** Ranks a split's mentions by a run's reranker after its first stage, the best `top` of each kept. Throws as `loadReranker`. */
export async function rankByReranker(
  session: Session,
  run: string,
  name: string,
  split: Split,
  top = 0,
): Promise<TwoStages> {
  const { reranker, first, release } = await loadReranker(session, run, name);
  try {
    const { corpus, features } = session;
    const stages = await firstStages(session, first.baseline, [split], reranker.candidates, features);
    const task = {
      mentions: corpus.mentions[split],
      entities: corpus.entities,
      features,
      gold: corpus.gold[split],
    };
    return await rankTwoStages(reranker, stages[split], { ...task, top });
  } finally {
    release();
  }
}

// Baselines as a run has them: those that need no training, and those whose best epochs lie in RUN/SYSTEM.

import { Random } from '../../engine/random.ts';
import { UsageError, WeightsError } from '../../files/errors.ts';
import { isThere, isUrl } from '../../files/locate.ts';
import { type AnyBaseline, trainedTensors } from '../../model/baselines/baseline.ts';
import { buildBaseline, findBaseline, trainedBaselines } from '../../model/baselines/registry.ts';
import { loadParameters, readAbout } from '../../model/checkpoint.ts';
import { checkInputs, type ModelBase } from '../model-base.ts';
import { bestFile } from '../trained.ts';
import { encoderHashes, ownEncoders } from './own-encoders.ts';

export interface LoadedBaseline {
  baseline: AnyBaseline;
  /** Releases its own weights. */
  release(): void;
}

/** The trained baselines that a run has. */
export async function trainedBaselinesOf(run: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of trainedBaselines) if (await isThere(bestFile(run, name))) found.push(name);
  return found;
}

/**
 * Loads a baseline by its name; one that is used as it comes needs no run. Throws UsageError for a trained one without a
 * run, WeightsError and InputError for a checkpoint that is missing, damaged or foreign.
 */
export async function loadBaseline(
  base: ModelBase,
  run: string | null,
  name: string,
): Promise<LoadedBaseline> {
  const system = findBaseline(name);
  const parts = { device: base.device, clip: base.clip, own: ownEncoders(base), random: new Random(0) };
  if (!system?.recipe) return { baseline: await buildBaseline(name, parts), release: () => {} };
  if (run === null) throw new UsageError(`${name}: is a trained system: expected the run that it is in`);
  const path = bestFile(run, name);
  const about = await readAbout(path);
  checkInputs(path, about, base);
  if (!isUrl(run)) {
    for (const [encoder, hash] of Object.entries(await encoderHashes(base, system.encoders))) {
      if (about.madeFrom[encoder] !== hash) {
        throw new WeightsError(`${path}: was trained from another ${encoder.toUpperCase()}`);
      }
    }
  }
  const { baseline: fields } = about.config as { baseline?: { options?: unknown } };
  const baseline = await buildBaseline(name, parts, `${path}: config`, fields?.options ?? {});
  const parameters = trainedTensors(baseline);
  const release = () => {
    for (const tensor of parameters.values()) tensor.release();
  };
  try {
    await loadParameters(path, parameters);
  } catch (error) {
    release();
    throw error;
  }
  return { baseline, release };
}

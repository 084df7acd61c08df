// What the trainings of all forms of gates have in common: where a gate's checkpoints lie, what they were made from, and how
// it is validated on dev.

import { join } from 'node:path';
import { contentStamp } from '../../files/content-stamp.ts';
import { originOf, type Session } from '../../link/session.ts';
import { prepareSplit, rankPrepared } from '../../link/split.ts';
import { expertsFingerprint } from '../../link/trained.ts';
import type { GatedExperts } from '../../model/dsmip/gating/gate-forms.ts';
import { type GateTraining, gateSchema } from '../config/schemas.ts';
import { type Fit, type FitResult, fit } from '../fit.ts';
import type { TrainingHooks } from '../hooks.ts';

/** What each form says itself. */
type OwnPlan = Pick<
  Fit,
  'stepsPerEpoch' | 'parameters' | 'constants' | 'adams' | 'random' | 'begin' | 'steps'
>;

/** Trains a gate on a checked configuration, as `fit` does. */
export async function fitGate(
  config: GateTraining,
  session: Session,
  { scorer }: Pick<GatedExperts, 'scorer'>,
  own: OwnPlan,
  hooks: TrainingHooks,
): Promise<FitResult> {
  const { gate, training, run, data } = config;
  const { epochs, schedule, learningRate } = training;
  const dev = await prepareSplit(session, [scorer], 'dev');
  return fit(
    {
      ...own,
      device: session.device,
      folder: join(run.folder, 'gate'),
      schema: gateSchema,
      config,
      madeFrom: {
        ...(await originOf(session)),
        expertFiles: await expertsFingerprint(run.folder, gate.experts),
        ...(gate.image === 'vgg' ? { vgg: await contentStamp(gate.vgg) } : {}),
      },
      epochs,
      schedule,
      learningRate,
      async validate() {
        const { metrics, picked } = await rankPrepared(scorer, dev);
        for (const line of session.features.source.takeProblems(data.folder)) hooks.onWarning?.(line);
        return { dev: metrics, line: { picked: picked! }, choices: picked!.overall };
      },
    },
    hooks,
  );
}

// The trainings of a contender with a seed: that of its baseline, or those of DSMIP's experts and gate as `start` does them.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Session } from '../../link/session.ts';
import { expertKinds } from '../../model/dsmip/experts.ts';
import { trainBaseline } from '../../train/baselines/train-baseline.ts';
import { decidingValues } from '../../train/config/check.ts';
import { baselineConfigOf, type Preset } from '../../train/config/presets.ts';
import { baselineSchema, expertSchema, gateSchema } from '../../train/config/schemas.ts';
import type { TrainingHooks } from '../../train/hooks.ts';
import { readMetricsLog } from '../../train/metrics-log.ts';
import { configured, doWork, type Overrides, trainingStages } from '../pipeline.ts';
import type { Contender } from './contenders.ts';

export interface Training {
  /** Its folder below the contender's. */
  name: string;
  /** All that its configuration says of its result, as text. */
  settings: string;
  train(session: Session, hooks: TrainingHooks): Promise<unknown>;
}

/**
 * In the order to do them; none for a contender that is used as it comes. `training`: values that are not the preset's. Throws
 * ConfigError.
 */
export function trainingsOf(
  preset: Preset,
  { system, options }: Contender,
  seed: number | null,
  folder: string,
  training: Overrides,
): Training[] {
  if (seed === null) return [];
  const overrides = { ...training, 'training.seed': seed };
  if (system === null) return dsmipTrainings(preset, folder, overrides);
  const base = baselineConfigOf(preset, system);
  const { trainFraction = 1 } = base.training;
  const config = configured(baselineSchema, base, {
    ...overrides,
    // A part of what the preset trains on: rerankers are slow, and have fewer mentions there than the others.
    'training.trainFraction': trainFraction * Number(training['training.trainFraction'] ?? 1),
    'run.folder': folder,
    'baseline.options': { ...base.baseline.options, ...options },
  });
  return [
    {
      name: system,
      settings: JSON.stringify([...decidingValues(baselineSchema, config)]),
      train: (session, hooks) => trainBaseline(config, session, hooks),
    },
  ];
}

function dsmipTrainings(preset: Preset, run: string, training: Overrides): Training[] {
  const stages = trainingStages({
    preset,
    run,
    experts: expertKinds,
    hasGate: true,
    calibrates: false,
    split: 'dev',
    training,
    expert: {},
    gate: {},
  });
  return stages.flatMap(({ work }) => {
    if (work.kind !== 'expert' && work.kind !== 'gate') return [];
    const isExpert = work.kind === 'expert';
    const deciding = decidingValues(isExpert ? expertSchema : gateSchema, work.config);
    return [
      {
        name: isExpert ? work.config.expert.kind : 'gate',
        settings: JSON.stringify([...deciding]),
        train: (session: Session, hooks: TrainingHooks) => doWork(work, async () => session, hooks),
      },
    ];
  });
}

/** Seconds in which a training took its steps and validated, in one go or several: from its metrics.jsonl. Throws InputError where that is damaged. */
export async function trainingSeconds(folder: string, name: string): Promise<number> {
  const path = join(folder, name, 'metrics.jsonl');
  if (!existsSync(path)) return 0;
  const times = (await readMetricsLog(path)).map(({ seconds }) => seconds as number);
  // The clock begins again where a training was gone on with.
  return times.reduce((sum, time, i) => {
    const before = i === 0 || time < times[i - 1]! ? 0 : times[i - 1]!;
    return sum + time - before;
  }, 0);
}

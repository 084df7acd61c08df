// dsmip train baseline: one of the systems that DSMIP is compared with.

import { trainedBaselines } from '../../../model/baselines/registry.ts';
import { trainBaseline } from '../../../train/baselines/train-baseline.ts';
import { baselineConfigOf } from '../../../train/config/presets.ts';
import { baselineSchema } from '../../../train/config/schemas.ts';
import { type ConfigCommand, parseConfig } from '../../config-flags.ts';
import { closeWork, describeSession, openWork, profileFlag } from '../../open-work.ts';
import { print } from '../../output.ts';
import { showWork } from '../../show-work.ts';

export const baselineCommand: ConfigCommand<typeof baselineSchema, 'resume' | 'profile'> = {
  name: 'train baseline',
  summary: 'Trains a system to compare with and keeps its best epoch by validation MRR, in RUN/SYSTEM.',
  schema: baselineSchema,
  base: (preset, given) => baselineConfigOf(preset, `${given.get('baseline.system') ?? trainedBaselines[0]}`),
  plain: {
    resume: { flags: '--resume', help: 'go on from the last epoch that was finished' },
    profile: profileFlag,
  },
  examples: [
    'dsmip train baseline --system clip-head --run runs/default',
    `dsmip train baseline --system clip --options '{"cross": true}' --run runs/mine`,
  ],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(baselineCommand, args);
  if (!parsed) return;
  const { config, plain } = parsed;
  const isProfiled = plain.profile === true;
  const session = await openWork(config, { profile: isProfiled });
  describeSession(session);
  print(`training ${config.baseline.system}`);
  await trainBaseline(config, session, { ...showWork(), resume: plain.resume === true });
  await closeWork(session, isProfiled);
}

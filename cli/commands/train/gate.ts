// dsmip train gate: stage 2, the gate over trained experts.

import { gateConfigOf } from '../../../train/config/presets.ts';
import { gateSchema } from '../../../train/config/schemas.ts';
import { trainGate } from '../../../train/gating/train-gate.ts';
import { type ConfigCommand, parseConfig } from '../../config-flags.ts';
import { closeWork, describeSession, openWork, profileFlag } from '../../open-work.ts';
import { print } from '../../output.ts';
import { showWork } from '../../show-work.ts';

export const gateCommand: ConfigCommand<typeof gateSchema, 'resume' | 'profile'> = {
  name: 'train gate',
  summary:
    'Stage 2: trains the gate over the experts in RUN and fine-tunes their scoring units, in RUN/gate.',
  schema: gateSchema,
  base: gateConfigOf,
  plain: {
    resume: { flags: '--resume', help: 'go on from the last epoch that was finished' },
    profile: profileFlag,
  },
  examples: ['dsmip train gate --run runs/mine --experts text,multimodal'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(gateCommand, args);
  if (!parsed) return;
  const { config, plain } = parsed;
  const isProfiled = plain.profile === true;
  const session = await openWork(config, { profile: isProfiled });
  describeSession(session);
  print(`training the gate over ${config.gate.experts.join(', ')}`);
  await trainGate(config, session, { ...showWork(), resume: plain.resume === true });
  await closeWork(session, isProfiled);
}

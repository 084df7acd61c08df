// dsmip train expert: stage 1, one expert alone.

import { openDevice } from '../../../engine/device.ts';
import type { ExpertKind } from '../../../model/dsmip/experts.ts';
import { expertConfigOf } from '../../../train/config/presets.ts';
import { type ExpertTraining, expertSchema } from '../../../train/config/schemas.ts';
import { memoryLines, stepPlan } from '../../../train/experts/memory-estimate.ts';
import { clipConfigOf, parameterLines } from '../../../train/experts/parameter-counts.ts';
import { trainExpert } from '../../../train/experts/train-expert.ts';
import { type ConfigCommand, parseConfig } from '../../config-flags.ts';
import { closeWork, describeSession, openWork, profileFlag } from '../../open-work.ts';
import { print } from '../../output.ts';
import { showWork } from '../../show-work.ts';

type Plain = 'resume' | 'profile' | 'printParameters' | 'printMemory';

export const expertCommand: ConfigCommand<typeof expertSchema, Plain> = {
  name: 'train expert',
  summary: 'Stage 1: trains one expert alone and keeps its best epoch by validation MRR, in RUN/EXPERT.',
  schema: expertSchema,
  base: (preset, given) =>
    expertConfigOf(preset, (given.get('expert.kind') as ExpertKind | undefined) ?? 'multimodal'),
  plain: {
    resume: { flags: '--resume', help: 'go on from the last epoch that was finished' },
    profile: profileFlag,
    printParameters: { flags: '--print-parameters', help: 'count the trainable parameters and stop' },
    printMemory: { flags: '--print-memory', help: 'estimate the device memory that a step takes and stop' },
  },
  examples: ['dsmip train expert --expert text --run runs/mine --epochs 2'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(expertCommand, args);
  if (!parsed) return;
  const { config, plain, presetName } = parsed;
  const isPaper = presetName !== null && presetName !== 'openconcepts';
  if (plain.printParameters || plain.printMemory)
    return printSizes(config, isPaper, plain.printMemory === true);
  const isProfiled = plain.profile === true;
  const { memoryGB } = config.training;
  const session = await openWork(config, { profile: isProfiled, memoryGB });
  describeSession(session);
  print(`training the ${config.expert.kind} expert`);
  await trainExpert(config, session, { ...showWork(), resume: plain.resume === true });
  await closeWork(session, isProfiled);
}

/** Needs CLIP's config.json at most, no weights and no data. */
async function printSizes(config: ExpertTraining, isPaper: boolean, isMemory: boolean): Promise<void> {
  const clip = await clipConfigOf(config.clip.folder, isPaper);
  if (!isMemory) {
    print(parameterLines(config.expert, clip).join('\n'));
    return;
  }
  const device = await openDevice();
  const { maxLength } = clip.text;
  const { batchSize } = config.training;
  const tokens = { mention: maxLength, entity: maxLength };
  const plan = stepPlan(config.expert, clip, batchSize, config.training, tokens);
  print((await memoryLines(device, plan)).join('\n'));
  device.destroy();
}

// dsmip train albef: pretrains the tiny ALBEF that stands in for ALBEF.pth in the embedded default's baselines.

import { join } from 'node:path';
import { profileTable } from '../../../engine/device/profiler.ts';
import { openDevice } from '../../../engine/device.ts';
import { packageRoot } from '../../../files/package-path.ts';
import { albefSchema } from '../../../train/albef-pretraining/albef-schema.ts';
import { pretrainAlbef } from '../../../train/albef-pretraining/pretrain-albef.ts';
import { type ConfigCommand, parseConfig } from '../../config-flags.ts';
import { profileFlag } from '../../open-work.ts';
import { print } from '../../output.ts';
import { showWork } from '../../show-work.ts';

const albefCommand: ConfigCommand<typeof albefSchema, 'resume' | 'profile'> = {
  name: 'train albef',
  summary:
    "Pretrains a tiny ALBEF on the knowledge base's images and the texts of their entities, by telling pairs apart and by " +
    'matching them; its text encoder begins as a tiny BERT. No mention is read but those of dev that it is judged on.',
  schema: albefSchema,
  base: ({ data, bert }) => ({
    data,
    bert,
    out: { folder: join(packageRoot(), 'weights/tiny-albef') },
  }),
  plain: {
    resume: { flags: '--resume', help: 'go on from the last checkpoint' },
    profile: profileFlag,
  },
  examples: ['dsmip train albef --out my-albef', 'dsmip train albef --out my-albef --resume'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(albefCommand, args);
  if (!parsed) return;
  const { config, plain } = parsed;
  const profile = plain.profile === true;
  const device = await openDevice({ profile });
  print(device.description);
  const made = await pretrainAlbef(config, device, { ...showWork(), resume: plain.resume === true });
  if (profile) print(profileTable(await device.profile()));
  const { folder, entities, images, parameters, image } = made;
  print(
    `wrote ${folder}: ${images} images of ${entities} entities, ${parameters} parameters; an image finds its entity's text:`,
  );
  print(
    `  H@1 ${image['hits@1'].toFixed(1)}  H@5 ${image['hits@5'].toFixed(1)}  MRR ${image.mrr.toFixed(1)}`,
  );
  device.destroy();
}

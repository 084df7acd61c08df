// Writes a synthetic data set for measurements at scale:
//   node bench/scale/synthetic-kb.ts --out DIR [--entities 109976] [--mentions 2000] [--image-share 0] [--seed 0]

import { fileURLToPath } from 'node:url';
import { UsageError } from '../../files/errors.ts';
import { count, parseFlags, real, reportError, text } from './flags.ts';
import { sourceFrom, writeSyntheticKb } from './synthetic.ts';

const FLAGS = {
  out: text('', 'folder for the data set'),
  entities: count(109_976, 'entities', 1),
  mentions: count(2000, 'mentions', 10),
  'image-share': real(0, 'part of entities and mentions that name an image, 0 to 1'),
  seed: count(0, 'for the same data set again'),
  melbench: text(
    fileURLToPath(new URL('../../../shared/data/melbench', import.meta.url)),
    "folder with MELBench's zips; without them names and sentences are few",
  ),
};

try {
  const usage = 'usage: node bench/scale/synthetic-kb.ts --out DIR [flags]';
  const options = parseFlags(usage, FLAGS, process.argv.slice(2));
  if (options) await main(options);
} catch (error) {
  process.exitCode = reportError(error);
}

async function main(options: NonNullable<ReturnType<typeof parseFlags<typeof FLAGS>>>): Promise<void> {
  const { out, entities, mentions, seed, melbench, 'image-share': imageShare } = options;
  if (out === '') throw new UsageError('--out is needed (--help lists the flags)');
  await writeSyntheticKb(out, { entities, mentions, imageShare, seed }, await sourceFrom(melbench));
  console.log(`wrote ${out}: ${entities} entities, ${mentions} mentions`);
}

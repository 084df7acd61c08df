// dsmip import: makes a data set of MIMIC's layout from a release of MELBench.

import { importMelbench } from '../../../data/melbench/import-melbench.ts';
import { UsageError } from '../../../files/errors.ts';
import { parsePlain } from '../../config-flags.ts';
import { print } from '../../output.ts';

export async function run(args: readonly string[]): Promise<void> {
  const parsed = parsePlain(
    {
      name: 'import',
      summary: "Makes a data set of MIMIC's layout from a release of MELBench.",
      plain: {
        from: { flags: '--from <file>', help: 'a zip of the release, or the .json from it', value: '' },
        out: { flags: '--out <folder>', help: 'folder for the data set', value: '' },
        name: {
          flags: '--name <text>',
          help: "prefix of the splits' files; WIKIMEL or RichpediaMEL by the name of --from",
          value: '',
        },
        seed: { flags: '--seed <integer>', help: 'which random split', value: '0' },
        splits: {
          flags: '--splits <file>',
          help: 'JSON {train, dev, test} of lists of sample ids, instead of a random split',
          value: '',
        },
        texts: { flags: '--texts <file>', help: "JSON of entities' attributes by qid", value: '' },
        force: { flags: '--force', help: 'replace a data set in --out' },
      },
      examples: ['dsmip import --from Wiki-MEL.zip --out data/wikimel'],
    },
    args,
  );
  if (!parsed) return;
  const { force, seed, ...texts } = parsed.plain as Readonly<
    Record<'from' | 'out' | 'name' | 'seed' | 'splits' | 'texts', string>
  > & { force?: boolean };
  if (texts.from === '' || texts.out === '') {
    throw new UsageError('--from and --out are needed (--help lists the flags)');
  }
  if (!/^\d{1,15}$/.test(seed)) throw new UsageError(`--seed ${seed}: expected an integer of at least 0`);
  print((await importMelbench({ ...texts, seed: Number(seed), force: force === true })).join('\n'));
}

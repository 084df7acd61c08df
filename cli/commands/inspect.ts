// dsmip inspect: what is in a data set of MIMIC's layout, and what is wrong with it: counts, missing images, nil answers,
// lengths of texts, duplicate rows, leakage between the splits, and the paper's figures beside them for one of its data sets.

import { readDataset } from '../../data/dataset.ts';
import { inspect } from '../../data/inspect/inspect-dataset.ts';
import { report } from '../../data/inspect/inspect-report.ts';
import { loadTokenizer } from '../../data/text/tokenizer-files.ts';
import { UsageError } from '../../files/errors.ts';
import { parsePlain } from '../config-flags.ts';

export async function run(args: readonly string[]): Promise<void> {
  const parsed = parsePlain(
    {
      name: 'inspect',
      summary: "Says what is in a data set of MIMIC's layout, and what is wrong with it.",
      argument: { name: 'DIR', help: 'folder of the data set' },
      plain: {
        clip: {
          flags: '--clip <folder>',
          help: 'with vocab.json and merges.txt, for lengths in tokens',
          value: '',
        },
        json: { flags: '--json', help: 'print JSON' },
      },
      examples: ['dsmip inspect data/openconcepts --clip weights/tiny-clip'],
    },
    args,
  );
  if (!parsed) return;
  const { argument, plain } = parsed;
  if (argument === undefined) throw new UsageError('dsmip inspect: DIR is missing (--help lists the flags)');
  const tokenizer = plain.clip === '' ? null : await loadTokenizer(`${plain.clip}`);
  const found = await inspect(await readDataset(argument), tokenizer);
  tokenizer?.free();
  console.log(plain.json ? JSON.stringify(found, null, 2) : report(found));
}

// dsmip inspect: what is in a data set of MIMIC's layout or in a knowledge base alone, and what is wrong with it: counts, names
// that several entities have, missing images, nil answers, lengths of texts, duplicate rows, leakage between the splits, and the
// paper's figures beside them for one of its data sets.

import { stat } from 'node:fs/promises';
import { type Entity, readDataset } from '../../../data/dataset.ts';
import { inspect, inspectEntities } from '../../../data/inspect/inspect-dataset.ts';
import { report } from '../../../data/inspect/inspect-report.ts';
import { openKnowledgeBase } from '../../../data/knowledge-base.ts';
import type { Tokenizer } from '../../../data/text/tokenizer.ts';
import { loadTokenizer } from '../../../data/text/tokenizer-files.ts';
import { UsageError } from '../../../files/errors.ts';
import { parsePlain } from '../../config-flags.ts';
import { print } from '../../output.ts';

export async function run(args: readonly string[]): Promise<void> {
  const parsed = parsePlain(
    {
      name: 'inspect',
      summary: "Says what is in a data set of MIMIC's layout or a knowledge base, and what is wrong with it.",
      argument: {
        name: 'PATH',
        help: 'folder of the data set, or a knowledge base: JSON lines as for dsmip index --kb',
      },
      plain: {
        images: {
          flags: '--images <folder>',
          help: 'folder that the image paths of JSON lines begin at (that of the file)',
          value: '',
        },
        clip: {
          flags: '--clip <folder>',
          help: 'with vocab.json and merges.txt, for lengths in tokens',
          value: '',
        },
        json: { flags: '--json', help: 'print JSON' },
      },
      examples: [
        'dsmip inspect data/openconcepts --clip weights/tiny-clip',
        'dsmip inspect kb.jsonl --images pictures',
      ],
    },
    args,
  );
  if (!parsed) return;
  const { argument, plain } = parsed;
  if (argument === undefined) throw new UsageError('dsmip inspect: PATH is missing (--help lists the flags)');
  const tokenizer = plain.clip === '' ? null : await loadTokenizer(`${plain.clip}`);
  try {
    const found = await inspectPath(argument, `${plain.images}`, tokenizer);
    print(plain.json ? JSON.stringify(found, null, 2) : report(found));
  } finally {
    tokenizer?.free();
  }
}

async function inspectPath(path: string, images: string, tokenizer: Tokenizer | null) {
  const isFile = (await stat(path).catch(() => null))?.isFile() === true;
  if (!isFile) {
    if (images !== '') throw new UsageError('--images goes with a file of JSON lines; a folder has its own');
    const data = await readDataset(path);
    return data.splits.train.length > 0 ? inspect(data, tokenizer) : inspectEntities(data, tokenizer);
  }
  const base = await openKnowledgeBase({ kb: path, ...(images === '' ? {} : { images }) });
  // Unlike those of an index they are held: what they share shows only then.
  const entities: Entity[] = [];
  for await (const entity of base.entities()) entities.push(entity);
  return inspectEntities({ name: base.name, entities, remarks: [] }, tokenizer);
}

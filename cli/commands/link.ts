// dsmip link: links mentions to entities with a trained run, from the command line or from JSON lines, which are answered
// as they come.

import { dirname, resolve } from 'node:path';
import { profileTable } from '../../engine/device/profiler.ts';
import { openDevice } from '../../engine/device.ts';
import { textTable } from '../../eval/text-table.ts';
import { UsageError, visible } from '../../files/errors.ts';
import { chunksOfFile } from '../../files/json/json-lines.ts';
import { isUrl } from '../../files/locate.ts';
import { type MentionToLink, readMentions } from '../../link/link-input.ts';
import type { Linked } from '../../link/linker.ts';
import { workConfigOf } from '../../train/config/presets.ts';
import { linkSchema } from '../../train/config/schemas.ts';
import { type ConfigCommand, parseConfig } from '../config-flags.ts';
import { openLinkerFor, prepareIndex } from '../open-linker.ts';
import { profileFlag } from '../open-work.ts';
import { outputTaken, print, printError } from '../output.ts';

/** Most mentions that are linked together; their results are printed before the next are read. */
const batchSize = 128;

/** Unreadable images that are named. */
const mostWarnings = 100;

/** Characters of an entity's attributes that a table shows. */
const attributesShown = 40;

const linkCommand: ConfigCommand<
  typeof linkSchema,
  'word' | 'sentence' | 'image' | 'input' | 'json' | 'profile'
> = {
  name: 'link',
  summary: 'Links mentions to the entities of a knowledge base.',
  schema: linkSchema,
  base: (preset) => workConfigOf(preset, 'link'),
  plain: {
    word: { flags: '--word <text>', help: 'the mention itself', value: '' },
    sentence: { flags: '--sentence <text>', help: 'the sentence that it stands in', value: '' },
    image: { flags: '--image <file>', help: 'its image: JPEG, PNG or WebP', value: '' },
    input: {
      flags: '--input <file>',
      help:
        'JSON lines of word, sentence and image (or none), a path that begins in the folder of this file, or an ' +
        "address; '-' for standard input",
      value: '',
    },
    json: { flags: '--json', help: 'one JSON object a line instead of tables' },
    profile: profileFlag,
  },
  examples: [
    'dsmip link --run runs/default --word mouse --sentence "a small rodent" --image mouse.jpg',
    'dsmip link --run runs/default --input mentions.jsonl --json',
    'dsmip link --kb my-kb --word mouse --sentence "a small rodent" --threshold 0.5',
  ],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(linkCommand, args);
  if (!parsed) return;
  const { config, plain } = parsed;
  const batches = mentionBatches(plain as Readonly<Record<'word' | 'sentence' | 'image' | 'input', string>>);
  // The first is read before anything is opened: wrong input shows at once.
  let next = await batches.next();
  const profile = plain.profile === true;
  await prepareIndex(parsed);
  const device = await openDevice({ profile });
  let [unreadable, total] = [0, 0];
  const linker = await openLinkerFor(parsed, {
    device,
    onWarning(line) {
      unreadable++;
      if (unreadable <= mostWarnings) printError(`warning: ${line}`);
      if (unreadable === mostWarnings) printError('warning: further images are only counted');
    },
  });
  const { top, candidates, threshold } = config.link;
  try {
    for (; !next.done; next = await batches.next()) {
      total += next.value.length;
      const mentions = next.value.map((mention) => ({
        ...mention,
        image: imageOf(mention, `${plain.input}`),
      }));
      const found = await linker.link(mentions, { top, candidates });
      for (const [i, { word, sentence, image }] of next.value.entries()) {
        const inKnowledgeBase = found[i]![0]?.inKnowledgeBase ?? null;
        if (threshold > 0 && inKnowledgeBase === null) {
          throw new UsageError(
            `--threshold: ${linker.system} is not calibrated: it cannot tell how sure it is (dsmip calibrate)`,
          );
        }
        const entities = (inKnowledgeBase ?? 1) < threshold ? [] : found[i]!;
        const answer = { word, sentence, image, inKnowledgeBase, entities };
        print(plain.json ? JSON.stringify(answer) : table(answer));
      }
      await outputTaken();
    }
  } finally {
    await linker.close();
  }
  if (unreadable > 0) printError(`${unreadable} of ${total} mentions have an unreadable image`);
  if (profile) printError(profileTable(await device.profile()));
  device.destroy();
}

/** Where a mention's image is: an address, or a path that begins in the folder of the file that names it. */
function imageOf({ image }: MentionToLink, input: string): string | URL | null {
  if (image === null) return null;
  if (isUrl(image)) return new URL(image);
  return input === '' || input === '-' ? image : resolve(dirname(input), image);
}

/** The mentions that the flags name, some at a time. Throws UsageError, and InputError for a wrong line. */
async function* mentionBatches({
  word,
  sentence,
  image,
  input,
}: Readonly<Record<'word' | 'sentence' | 'image' | 'input', string>>): AsyncGenerator<MentionToLink[]> {
  if (input === '') {
    if (word === '' || sentence === '') {
      throw new UsageError('expected --word and --sentence, or --input FILE.jsonl (--help lists the flags)');
    }
    if (isUrl(image) && !URL.canParse(image))
      throw new UsageError(`--image ${image}: expected a file or an address`);
    yield [{ word, sentence, image: image === '' ? null : image }];
    return;
  }
  if (word !== '' || sentence !== '' || image !== '') {
    throw new UsageError(
      '--input: its lines have word, sentence and image; expected no --word, --sentence, --image',
    );
  }
  const isPiped = input === '-';
  const chunks = isPiped ? (process.stdin as AsyncIterable<Uint8Array>) : chunksOfFile(input);
  yield* readMentions(isPiped ? '<stdin>' : input, chunks, batchSize);
}

interface Answer extends MentionToLink {
  inKnowledgeBase: number | null;
  entities: readonly Linked[];
}

function percent(probability: number): string {
  return `${(100 * probability).toFixed(1)} %`;
}

/** The mention and below it its entities in columns: place, name, qid, probability, score, expert, attributes. */
function table({ word, sentence, inKnowledgeBase, entities }: Answer): string {
  const rows = entities.map(({ qid, name, attributes, score, expert, probability }, i) => {
    const letters = [...attributes.replaceAll(/\s+/g, ' ')];
    const short =
      letters.length > attributesShown
        ? `${letters.slice(0, attributesShown - 1).join('')}…`
        : letters.join('');
    const sure = probability === null ? [] : [percent(probability)];
    return [`${i + 1}`.padStart(4), name, qid, ...sure, score.toFixed(3), expert ?? '', short];
  });
  const known = inKnowledgeBase === null ? '' : ` (in the knowledge base: ${percent(inKnowledgeBase)})`;
  const left = inKnowledgeBase === null ? [0, 1, 2, 4, 5] : [0, 1, 2, 5, 6];
  const lines = rows.length === 0 ? ['   none of them'] : textTable(rows, left);
  return `${visible(word)}: ${visible(sentence)}${known}\n${lines.join('\n')}\n`;
}

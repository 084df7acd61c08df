// dsmip link: links mentions to entities with a trained run, from the command line or from JSON lines, which are answered
// as they come.

import { readFile } from 'node:fs/promises';
import { decodeImage } from '../../data/images/image.ts';
import { openDevice } from '../../engine/device.ts';
import { textTable } from '../../eval/text-table.ts';
import { UsageError } from '../../files/errors.ts';
import type { MentionToLink } from '../../link/link-input.ts';
import { type Linked, openLinker } from '../../link/linker.ts';
import { workConfigOf } from '../../train/config/presets.ts';
import { linkSchema } from '../../train/config/schemas.ts';
import { type ConfigCommand, parseConfig } from '../config-flags.ts';
import { mentionLines } from '../mention-lines.ts';
import { profileFlag } from '../open-work.ts';

/** Most mentions that are linked together; their results are printed before the next are read. */
const batchSize = 128;

/** Characters of an entity's attributes that a table shows. */
const attributesShown = 40;

const linkCommand: ConfigCommand<
  typeof linkSchema,
  'word' | 'sentence' | 'image' | 'input' | 'json' | 'profile'
> = {
  name: 'link',
  summary: 'Links mentions to the entities of a knowledge base with a trained run.',
  schema: linkSchema,
  base: (preset) => workConfigOf(preset, 'link'),
  plain: {
    word: { flags: '--word <text>', help: 'the mention itself', value: '' },
    sentence: { flags: '--sentence <text>', help: 'the sentence that it stands in', value: '' },
    image: { flags: '--image <file>', help: 'its image: JPEG, PNG or WebP', value: '' },
    input: {
      flags: '--input <file>',
      help: "an object of word, sentence and image (or none) a line; '-' for standard input",
      value: '',
    },
    json: { flags: '--json', help: 'one JSON object a line instead of tables' },
    profile: profileFlag,
  },
  examples: [
    'dsmip link --run runs/default --word mouse --sentence "a small rodent" --image mouse.jpg',
    'dsmip link --run runs/default --input mentions.jsonl --json',
  ],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(linkCommand, args);
  if (!parsed) return;
  const { config, plain } = parsed;
  const { data, clip, cache } = config;
  const batches = mentionBatches(plain as Readonly<Record<'word' | 'sentence' | 'image' | 'input', string>>);
  // The first is read before anything is opened: wrong input shows at once.
  let next = await batches.next();
  const device = await openDevice({ profile: plain.profile === true });
  const folders = { data: data.folder, clip: clip.folder, cache: cache.folder };
  const linker = await openLinker(device, config.run.folder, folders);
  let [unreadable, total] = [0, 0];
  for (; !next.done; next = await batches.next()) {
    const mentions = await Promise.all(next.value.map(withReadableImage));
    total += mentions.length;
    unreadable += mentions.filter(({ problem }) => problem !== null).length;
    const found = await linker.link(mentions, config.link.top);
    for (const [i, { problem }] of mentions.entries()) {
      if (problem !== null) console.error(`warning: ${problem}; linked as if without an image`);
      const { word, sentence, image } = next.value[i]!;
      const entities = found[i]!;
      console.log(
        plain.json ? JSON.stringify({ word, sentence, image, entities }) : table(word, sentence, entities),
      );
    }
  }
  if (unreadable > 0) console.error(`${unreadable} of ${total} mentions have an unreadable image`);
  device.destroy();
}

/** The mentions that the flags name, some at a time. Throws UsageError. */
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
    yield [{ word, sentence, image: image === '' ? null : image }];
    return;
  }
  if (word !== '' || sentence !== '' || image !== '') {
    throw new UsageError(
      '--input: its lines have word, sentence and image; expected no --word, --sentence, --image',
    );
  }
  yield* mentionLines(input, batchSize);
}

/** The mention without its image where that cannot be read, and why. */
async function withReadableImage(
  mention: MentionToLink,
): Promise<MentionToLink & { problem: string | null }> {
  const { image } = mention;
  if (image === null) return { ...mention, problem: null };
  try {
    await decodeImage(await readFile(image));
    return { ...mention, problem: null };
  } catch (error) {
    const isMissing = (error as { code?: string }).code === 'ENOENT';
    const reason = isMissing ? 'no such file' : (error as Error).message.split('\n')[0];
    return { ...mention, image: null, problem: `${image}: ${reason}` };
  }
}

/** The mention and below it its entities in columns: place, name, qid, score, expert, attributes. */
function table(word: string, sentence: string, entities: readonly Linked[]): string {
  const rows = entities.map(({ qid, name, attributes, score, expert }, i) => {
    const letters = [...attributes.replaceAll(/\s+/g, ' ')];
    const short =
      letters.length > attributesShown
        ? `${letters.slice(0, attributesShown - 1).join('')}…`
        : letters.join('');
    return [`${i + 1}`.padStart(4), name, qid, score.toFixed(3), expert ?? '', short];
  });
  return `${word}: ${sentence}\n${textTable(rows, [0, 1, 2, 4, 5]).join('\n')}\n`;
}

// Links mentions to entities with a trained run, from the command line or from a file of one JSON object a
// line ('-' reads standard input):
//   node eval/link.ts --run DIR --word mouse --sentence "a small rodent" [--image FILE] [--top 5] [--json]
//   node eval/link.ts --run DIR --input mentions.jsonl [--top 5] [--json]

import { readFile } from 'node:fs/promises';
import { decodeImage } from '../data/images/image.ts';
import { openDevice } from '../engine/device.ts';
import { type LinkInput, type MentionToLink, readMentions } from '../link/link-input.ts';
import { type Linked, openLinker } from '../link/linker.ts';
import { isBadInput } from '../train/bad-input.ts';
import { count, on, parseFlags, reportError, text } from '../train/flags.ts';
import { type Preset, type PresetName, presetOf } from '../train/presets.ts';
import { type CommonOptions, commonFlags } from '../train/run-flags.ts';
import { textTable } from './text-table.ts';

/** Mentions that are linked together; their results are printed before the next are read. */
const together = 128;

/** Characters of an entity's attributes that a table shows. */
const attributesShown = 40;

try {
  const args = process.argv.slice(2);
  const { name, preset } = presetOf(args);
  const options = parseFlags('usage: node eval/link.ts [flags]', flagsOf(name, preset), args);
  if (options) await main(options);
} catch (error) {
  reportError(error, isBadInput);
}

function flagsOf(name: PresetName, preset: Preset) {
  return {
    ...commonFlags(name, preset),
    word: text('', 'the mention itself'),
    sentence: text('', 'the sentence that it stands in'),
    image: text('', 'file of its image: JPEG, PNG or WebP'),
    input: text(
      '',
      "file with an object of word, sentence and image (or none) a line; '-' for standard input",
    ),
    top: count(5, 'entities to give', 1),
    json: on('one JSON object a line instead of tables'),
  };
}

async function main(options: CommonOptions & LinkInput & { top: number; json: boolean }): Promise<void> {
  const { top, json } = options;
  const mentions = await readMentions(options);
  const device = await openDevice({ profile: options.profile });
  const linker = await openLinker(device, options.run, options);
  let unreadable = 0;
  for (let first = 0; first < mentions.length; first += together) {
    const some = await Promise.all(mentions.slice(first, first + together).map(withReadableImage));
    unreadable += some.filter(({ problem }) => problem !== null).length;
    const found = await linker.link(some, top);
    for (const [i, mention] of some.entries()) {
      if (mention.problem !== null)
        console.error(`warning: ${mention.problem}; linked as if without an image`);
      const { word, sentence, image } = mentions[first + i]!;
      const entities = found[i]!;
      console.log(
        json ? JSON.stringify({ word, sentence, image, entities }) : shown(word, sentence, entities),
      );
    }
  }
  if (unreadable > 0) console.error(`${unreadable} of ${mentions.length} mentions have an unreadable image`);
  device.destroy();
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
function shown(word: string, sentence: string, entities: readonly Linked[]): string {
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

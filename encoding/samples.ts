// Mentions and entities as training and evaluation use them: token ids and image numbers instead of texts and paths.
// Knows nothing of devices.

import type { Dataset } from '../data/dataset.ts';
import {
  entityTexts,
  joinedText,
  type Mention,
  mentionTexts,
  type NamedText,
  type Split,
} from '../data/entity-mention.ts';
import type { ImageInput } from '../data/images/image-input.ts';
import type { Tokenizer } from '../data/text/tokenizer.ts';
import { contentStamp } from '../files/content-stamp.ts';
import { InputError } from '../files/errors.ts';
import { hashOf } from '../files/fingerprint.ts';

/** Texts as token ids, padded to one length. */
export interface TextBatch {
  /** [count, length] */
  ids: Int32Array<ArrayBuffer>;
  /** [count, length], 0 on padding. */
  mask: Int32Array<ArrayBuffer>;
  count: number;
  length: number;
}

/** Texts as token ids, padded to the longest. */
export interface Tokens extends TextBatch {
  /** Tokens of each text, BOS and EOS counted. */
  lengths: Int32Array<ArrayBuffer>;
}

/** Mentions or entities. */
export interface Samples {
  /** Each sample's texts as they were read, for systems that do not read CLIP's tokens. */
  texts: readonly NamedText[];
  tokens: Tokens;
  /** Each sample's images, as numbers into `Corpus.files`. */
  images: readonly (readonly number[])[];
}

/** A data set, ready to be encoded. */
export interface Corpus {
  entities: Samples;
  mentions: Readonly<Record<Split, Samples>>;
  /** Each mention's gold entity: a row of `entities`. */
  gold: Readonly<Record<Split, Int32Array<ArrayBuffer>>>;
  /** Paths of all images. Number 0 is null: what stands in for an image that a sample lacks. */
  files: readonly (string | null)[];
}

/** Rows are padded to a multiple of so many tokens: fewer shapes, fewer kernels to tune. */
const lengthStep = 4;

/** Tokenizes a data set's texts, each cut to `maxLength` tokens, and numbers its images. */
export function prepareCorpus(dataset: Dataset, tokenizer: Tokenizer, maxLength: number): Corpus {
  const { files, numberOf } = numberedFiles();
  const textsOf = (texts: NamedText[]) => sampleTexts(tokenizer, texts, maxLength);
  const { splits } = dataset;
  const samples = (split: Split): Samples => ({
    ...textsOf(splits[split].map(mentionTexts)),
    images: splits[split].map(({ image }) => (image === null ? [] : [numberOf(image)])),
  });
  const gold = (mentions: Mention[]) => Int32Array.from(mentions, ({ entity }) => entity);
  return {
    entities: {
      ...textsOf(dataset.entities.map(entityTexts)),
      images: dataset.entities.map(({ images }) => images.map(numberOf)),
    },
    mentions: { train: samples('train'), dev: samples('dev'), test: samples('test') },
    gold: { train: gold(splits.train), dev: gold(splits.dev), test: gold(splits.test) },
    files,
  };
}

/** The number of what stands in for an image that a sample lacks. */
export const noImage = 0;

/** Files by numbers, in the order in which they are first asked for; number 0 is no file. */
export function numberedFiles(): { files: (string | null)[]; numberOf: (file: string) => number } {
  const files: (string | null)[] = [null];
  const numbers = new Map<string, number>();
  const numberOf = (file: string) => {
    const known = numbers.get(file) ?? files.push(file) - 1;
    numbers.set(file, known);
    return known;
  };
  return { files, numberOf };
}

/** Texts as samples have them, each cut to `maxLength` tokens. */
export function sampleTexts(
  tokenizer: Tokenizer,
  texts: readonly NamedText[],
  maxLength: number,
): Pick<Samples, 'texts' | 'tokens'> {
  return { texts, tokens: tokenizeTexts(tokenizer, texts.map(joinedText), maxLength) };
}

/** Texts as tokens, each cut to `maxLength`. */
export function tokenizeTexts(tokenizer: Tokenizer, texts: string[], maxLength: number): Tokens {
  return padded(tokenizer.encodeBatch(texts, maxLength), texts.length);
}

/** The texts in `rows`, padded as little as may be; `among`: rows that they must be as long as. */
export function pickTexts(tokens: Tokens, rows: readonly number[], among = rows): TextBatch {
  const longest = Math.max(...among.map((row) => tokens.lengths[row]!));
  const length = Math.min(tokens.length, Math.ceil(longest / lengthStep) * lengthStep);
  const ids = new Int32Array(rows.length * length);
  const mask = new Int32Array(rows.length * length);
  rows.forEach((row, i) => {
    const start = row * tokens.length;
    ids.set(tokens.ids.subarray(start, start + length), i * length);
    mask.set(tokens.mask.subarray(start, start + length), i * length);
  });
  return { ids, mask, count: rows.length, length };
}

/** Some of the samples, as samples of their own. */
export function pickSamples({ texts, tokens, images }: Samples, rows: readonly number[]): Samples {
  const lengths = Int32Array.from(rows, (row) => tokens.lengths[row]!);
  return {
    texts: rows.map((row) => texts[row]!),
    tokens: { ...pickTexts(tokens, rows), lengths },
    images: rows.map((row) => images[row]!),
  };
}

/** Some of the samples, padded as if there were no others: what is made of them is the same to the bit. */
export function cutSamples({ texts, tokens, images }: Samples, rows: readonly number[]): Samples {
  const lengths = Int32Array.from(rows, (row) => tokens.lengths[row]!);
  const length = lengths.reduce((longest, each) => Math.max(longest, each), 0);
  const cut = (values: Int32Array) => {
    const part = new Int32Array(rows.length * length);
    rows.forEach((row, i) => {
      part.set(values.subarray(row * tokens.length, row * tokens.length + length), i * length);
    });
    return part;
  };
  return {
    texts: rows.map((row) => texts[row]!),
    tokens: { ids: cut(tokens.ids), mask: cut(tokens.mask), lengths, count: rows.length, length },
    images: rows.map((row) => images[row]!),
  };
}

/** The image that evaluation takes of a sample: the first, or number 0 where there is none. */
export function firstImage(samples: Samples, row: number): number {
  return samples.images[row]![0] ?? noImage;
}

/** Each sample's first image, and the distinct ones of all samples. */
export function firstImages(samples: Samples): { each: number[]; distinct: number[] } {
  const each = samples.images.map((_, row) => firstImage(samples, row));
  return { each, distinct: [...new Set(each)] };
}

/** Files that are read at once for their stamps. */
const stampsAtOnce = 16;
let unknown = 0;

/** What tells one version of each image from another, see `fileStamp`. */
export async function imageStamps(images: readonly ImageInput[]): Promise<string[]> {
  const stamps = new Array<string>(images.length);
  let next = 0;
  const work = async () => {
    while (next < images.length) {
      const i = next++;
      stamps[i] = await fileStamp(images[i]!);
    }
  };
  await Promise.all(Array.from({ length: stampsAtOnce }, work));
  return stamps;
}

/**
 * What tells one version of an image or another file from another: the hash of its bytes, or that it cannot be read. What
 * an address leads to is never taken for what it led to before.
 */
export async function fileStamp(image: ImageInput): Promise<string> {
  if (image === null) return 'none';
  if (image instanceof URL) return `unknown ${unknown++}`;
  if (image instanceof Uint8Array) return hashOf([image]);
  if (image instanceof Blob) return hashOf([new Uint8Array(await image.arrayBuffer())]);
  try {
    return await contentStamp(image);
  } catch (error) {
    if (error instanceof InputError) return 'unreadable';
    throw error;
  }
}

function padded(
  { ids, mask, length }: { ids: Int32Array; mask: Int32Array; length: number },
  count: number,
): Tokens {
  const lengths = new Int32Array(count);
  mask.forEach((real, i) => {
    lengths[Math.floor(i / length)]! += real;
  });
  return { ids: Int32Array.from(ids), mask: Int32Array.from(mask), lengths, count, length };
}

// What the teacher says of texts: unit vectors of sentences by a BERT such as all-MiniLM-L6-v2, which the text encoder learns from.
// They take minutes and never change, so they are kept, by text: a corpus that grows or is put in another order costs what
// is new in it.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { WordPiece } from '../../data/text/wordpiece/wordpiece.ts';
import { loadWordPiece } from '../../data/text/wordpiece/wordpiece-files.ts';
import type { Device } from '../../engine/device.ts';
import { contentStamp } from '../../files/content-stamp.ts';
import { fileError, InputError } from '../../files/errors.ts';
import { hashOf } from '../../files/fingerprint.ts';
import { readBertConfig } from '../../model/bert/bert-config.ts';
import { loadBert } from '../../model/bert/load-bert.ts';
import { sentenceVectors } from '../../model/bert/sentence-vectors.ts';
import { f32ToF16, widenHalves } from '../../weights/half.ts';
import { VectorFile, type VectorKey, vectorKey } from './vector-file.ts';

export interface TeacherOptions {
  /** The teacher's folder: config.json, vocab.txt or tokenizer.json, model.safetensors. */
  model: string;
  /** Folder of the cache, made where it is missing; null keeps nothing. */
  cache: string | null;
  /** Texts are cut to so many tokens, [CLS] and [SEP] counted. Default 64. */
  maxLength?: number;
  /** Told how many of the texts have their vector; cached ones have it at once. */
  onProgress?: (done: number, total: number) => void;
  /** Told of vectors in the cache that are damaged and made again, in a line. */
  onWarning?: (line: string) => void;
  signal?: AbortSignal;
}

export interface TeacherVectors {
  /** [texts, width], each of length 1; rounded to float16, cached or not. */
  rows: Float32Array<ArrayBuffer>;
  width: number;
}

/** Raise it when the same texts and weights give other vectors. */
const version = '1';

/**
 * The vectors of `texts`, in their order: the mean over the last hidden states of real tokens, at length 1. Equal texts are
 * computed once. A run that is killed, or ended by the signal (whose reason is thrown), goes on where it was. Call it
 * outside of any scope; the teacher leaves the device with it. Throws InputError for a teacher that cannot be read, a
 * vocabulary that does not fit it, and a cache that another process writes.
 */
export async function teacherVectors(
  device: Device,
  texts: readonly string[],
  { model, cache, maxLength = 64, onProgress, onWarning, signal }: TeacherOptions,
): Promise<TeacherVectors> {
  signal?.throwIfAborted();
  const tokenizer = await loadWordPiece(model);
  const { width, vocabulary, maxLength: longest } = await readBertConfig(join(model, 'config.json'));
  if (tokenizer.tokens.length > vocabulary) {
    throw new InputError(
      `${model}: a vocabulary of ${tokenizer.tokens.length} tokens for a model of ${vocabulary} (config.json)`,
    );
  }
  if (maxLength < 3 || maxLength > longest) {
    throw new InputError(
      `${model}: texts of ${maxLength} tokens; the model takes 3 to ${longest} (config.json)`,
    );
  }
  const keys = texts.map(vectorKey);
  const kept = cache === null ? null : await openCache(cache, model, tokenizer, maxLength, width, onWarning);
  const known = new Map<VectorKey, Uint16Array>(kept?.rows ?? []);
  try {
    const missing = new Map<VectorKey, string>();
    for (const [i, key] of keys.entries()) if (!known.has(key)) missing.set(key, texts[i]!);
    let done = keys.reduce((sum, key) => sum + Number(known.has(key)), 0);
    const repeats = new Map<VectorKey, number>();
    for (const key of keys) repeats.set(key, (repeats.get(key) ?? 0) + 1);
    onProgress?.(done, texts.length);
    for await (const { keys: made, bits } of missing.size > 0 ? compute() : []) {
      await kept?.append(made, bits);
      for (const [i, key] of made.entries()) {
        known.set(key, bits.subarray(i * width, (i + 1) * width));
        done += repeats.get(key)!;
      }
      onProgress?.(done, texts.length);
      signal?.throwIfAborted();
    }

    async function* compute() {
      const bert = await loadBert(device, model);
      const missingKeys = [...missing.keys()];
      try {
        const parts = sentenceVectors(bert.module, tokenizer, [...missing.values()], maxLength);
        for await (const { places, rows } of parts) {
          yield { keys: places.map((place) => missingKeys[place]!), bits: f32ToF16(rows) };
        }
      } finally {
        for (const tensor of bert.tensors.values()) tensor.release();
      }
    }
  } finally {
    await kept?.close();
  }
  const rows = new Float32Array(texts.length * width);
  for (const [i, key] of keys.entries()) widenHalves(known.get(key)!, rows.subarray(i * width));
  return { rows, width };
}

/** The cache of a teacher: a file whose name is the hash of all but the texts that decides vectors. */
async function openCache(
  folder: string,
  model: string,
  { tokens }: WordPiece,
  maxLength: number,
  width: number,
  onWarning: TeacherOptions['onWarning'],
): Promise<VectorFile> {
  const names = await readdir(model).catch((error) => {
    throw fileError(model, error);
  });
  const files = names.filter((name) => name === 'config.json' || name.endsWith('.safetensors')).sort();
  const stamps = await Promise.all(files.map((name) => contentStamp(join(model, name))));
  const hash = hashOf(['teacher', version, `${maxLength}`, ...stamps, JSON.stringify(tokens)]);
  return VectorFile.open(join(folder, `teacher-${hash}.vectors`), width, onWarning);
}

// Pairs of made-up texts, and a small BERT with a vocabulary of their words, for the baselines that read texts with one.

import { createWordPiece } from '../../data/text/wordpiece/wordpiece.ts';
import { reservedTokens } from '../../data/text/wordpiece/wordpiece-trainer.ts';
import type { FeatureOptions } from '../../encoding/features.ts';
import type { Samples } from '../../encoding/samples.ts';
import { Random } from '../../engine/random.ts';
import type { BertPart } from '../../model/baselines/baseline.ts';
import { Bert, type BertConfig } from '../../model/bert/bert.ts';
import { initialise } from '../../model/initialise.ts';
import { features as noFeatures } from './dense-scorer.ts';
import { device } from './device.ts';
import { generator } from './random.ts';

const words = Array.from({ length: 60 }, (_, i) => `w${String.fromCharCode(97 + (i % 26))}${i}`);
export const vocabulary = [...reservedTokens, ...words];

export const smallTower: BertConfig = {
  width: 16,
  hidden: 32,
  heads: 2,
  layers: 1,
  vocabulary: vocabulary.length,
  maxLength: 48,
  types: 2,
  eps: 1e-12,
};

/** Features of nothing: the systems read no images. */
export const features: FeatureOptions = noFeatures;

/** A BERT of fresh weights, larger than the usual ones so that texts differ from the start. */
export function freshBert(seed = 4): BertPart {
  const larger = { deviation: 0.15 };
  const built = initialise(
    device,
    new Random(seed),
    (p) => new Bert(p, smallTower),
    (_, { start }) => ('deviation' in start ? larger : start),
  );
  return { ...built, config: smallTower, pooler: null, tokenizer: createWordPiece(vocabulary) };
}

/** `count` samples: a name of one or two words, and 2 to 12 words that have the name among them where `isMention`. */
export function textSamples(count: number, seed: number, isMention: boolean): Samples {
  const next = generator(seed);
  const some = (n: number) => Array.from({ length: n }, () => words[Math.floor(words.length * next())]!);
  const texts = Array.from({ length: count }, (_, i) => {
    const name = some(1 + (i % 2)).join(' ');
    const rest = some(2 + Math.floor(10 * next()));
    const at = Math.floor(rest.length * next());
    return {
      name,
      context: isMention ? rest.toSpliced(at, 0, name.toUpperCase()).join(' ') : rest.join(' '),
    };
  });
  const lengths = Int32Array.from(texts, ({ name, context }) => name.length + context.length);
  const empty = { ids: new Int32Array(0), mask: new Int32Array(0), count, length: 0 };
  return { texts, tokens: { ...empty, lengths }, images: texts.map(() => []) };
}

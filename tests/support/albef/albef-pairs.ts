// A small ALBEF of fresh weights, and pairs of made-up texts with images of noise, for the baseline and its matching head.

import { createWordPiece } from '../../../data/text/wordpiece/wordpiece.ts';
import type { Samples } from '../../../encoding/samples.ts';
import { Random } from '../../../engine/random.ts';
import { Albef, type AlbefConfig, AlbefMatching } from '../../../model/albef/albef.ts';
import type { AlbefPart } from '../../../model/baselines/baseline.ts';
import { initialise } from '../../../model/initialise.ts';
import { device } from '../device.ts';
import { smallTower, textSamples, vocabulary } from '../text-pairs.ts';

export const towerOfTwo: AlbefConfig = {
  text: { ...smallTower, layers: 2 },
  fusionLayer: 1,
  vision: { width: 24, hidden: 48, heads: 2, layers: 1, imageSize: 16, patchSize: 8 },
  projection: 12,
};

/** Larger weights than the usual ones, so that samples differ from the start. */
export function freshAlbef(seed = 4): AlbefPart {
  const larger = { deviation: 0.15 };
  const { module, tensors } = initialise(
    device,
    new Random(seed),
    (p) => ({ albef: new Albef(p, towerOfTwo), matching: new AlbefMatching(p, towerOfTwo) }),
    (_, { start }) => ('deviation' in start ? larger : start),
  );
  return {
    module: module.albef,
    matching: module.matching,
    tensors,
    config: towerOfTwo,
    tokenizer: createWordPiece(vocabulary),
  };
}

/** Texts of which sample i has image `first` + i, sample 5 none. */
export function pairSamples(count: number, seed: number, first: number, isMention: boolean): Samples {
  const images = Array.from({ length: count }, (_, i) => (i === 5 ? [] : [first + i]));
  return { ...textSamples(count, seed, isMention), images };
}

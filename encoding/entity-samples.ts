// Entities of any source as samples: their texts as token ids, their images numbered among their own. Some at a time, so
// that a knowledge base need not be held.

import { type Entity, entityTexts } from '../data/entity-mention.ts';
import { PixelSource } from '../data/images/pixel-source.ts';
import type { Tokenizer } from '../data/text/tokenizer.ts';
import { hashOf } from '../files/fingerprint.ts';
import type { FeatureOptions } from './features.ts';
import { imageStamps, numberedFiles, type Samples, sampleTexts } from './samples.ts';

/** What entities are encoded with. */
export interface EntityEncoding {
  tokenizer: Tokenizer;
  /** Tokens of a text, at most. */
  maxLength: number;
  /** The images' preprocessing and CLIP's hash are taken from these. */
  features: FeatureOptions;
}

/** The samples of some entities, and where their features come from; these are not kept. */
export function entitySamples(
  entities: readonly Entity[],
  { tokenizer, maxLength, features }: EntityEncoding,
): { samples: Samples; features: FeatureOptions; takeProblems: () => string[] } {
  const { files, numberOf } = numberedFiles();
  const source = new PixelSource(files, features.source.how);
  return {
    samples: {
      ...sampleTexts(tokenizer, entities.map(entityTexts), maxLength),
      images: entities.map(({ images }) => images.map(numberOf)),
    },
    features: { ...features, files, source, cache: '' },
    takeProblems: () => source.takeProblems('entities'),
  };
}

/** A hash of all that is encoded and told of entities, the contents of their images included. */
export async function entitiesStamp(entities: readonly Entity[]): Promise<string> {
  const texts = entities.map(({ qid, name, aliases, attributes, images }) =>
    JSON.stringify([qid, name, aliases, attributes, images]),
  );
  return hashOf([...texts, ...(await imageStamps(entities.flatMap(({ images }) => images)))]);
}

// The batches that the tiny CLIP is pretrained on: pairs of texts and of images that should come out alike.
// Made of the knowledge base's entities and of WordNet, never of a mention. Knows nothing of networks.

import { type Entity, entityText } from '../../data/dataset.ts';
import type { WordNet } from '../../data/openconcepts-builder/wordnet.ts';
import { Cycle, type RandomStream } from '../random-stream.ts';
import { type Augmentation, randomView } from './augment.ts';
import { type Homonyms, textPairs } from './wordnet-pairs.ts';

/** An entity with one of its images, normalised pixels [3, size, size]. */
export interface Picture {
  entity: Entity;
  pixels: Float32Array;
}

/** What batches are made of. */
export interface ClipData {
  entities: readonly Entity[];
  pictures: readonly Picture[];
  /** Side of the pictures in pixels. */
  imageSize: number;
  wordNet: WordNet;
  homonyms: readonly Homonyms[];
}

/** Pairs of each kind in a batch, and how views are made. */
export interface BatchOptions {
  textImage: number;
  imageViews: number;
  textViews: number;
  wordNet: number;
  /** Part of an entity's words that a view of its text leaves out, at most. */
  wordDropout: number;
  augmentation: Augmentation;
}

/** Rows of a text or image list that belong together, as [first, first of the other side, count]. */
export interface Pairing {
  a: { kind: 'text' | 'image'; first: number };
  b: { kind: 'text' | 'image'; first: number };
  count: number;
}

/** One step's work: `texts` and `pixels` [images, 3, S, S] to encode, and the pairs in them by name. */
export interface ClipBatch {
  texts: string[];
  pixels: Float32Array<ArrayBuffer>;
  images: number;
  pairings: { textImage: Pairing; imageViews: Pairing; textViews: Pairing; wordNet: Pairing };
}

export class ClipBatches {
  #data: ClipData;
  #options: BatchOptions;
  #draws: RandomStream;
  #pictures: Cycle<Picture>;
  #viewed: Cycle<Picture>;
  #entities: Cycle<Entity[]>;
  #homonyms: Cycle<Homonyms>;

  constructor(data: ClipData, options: BatchOptions, draws: RandomStream) {
    this.#data = data;
    this.#options = options;
    this.#draws = draws;
    this.#pictures = new Cycle(data.pictures, draws);
    this.#viewed = new Cycle(data.pictures, draws);
    this.#entities = new Cycle(byName(data.entities), draws);
    this.#homonyms = new Cycle(data.homonyms, draws);
  }

  next(): ClipBatch {
    const { textImage, imageViews, textViews, wordNet } = this.#options;
    const named = this.#pictures.fill(textImage, () => 1);
    const viewed = this.#viewed.fill(imageViews, () => 1);
    const entities = this.#entities.fill(textViews, (group) => group.length).flat();
    const words = this.#homonyms.fill(wordNet, ({ senses }) => senses.length);
    const pairs = words.flatMap((word) => textPairs(this.#data.wordNet, word, this.#draws));

    const texts = [
      ...named.map(({ entity }) => this.#textView(entity)),
      ...[...entities, ...entities].map((entity) => this.#textView(entity)),
      ...pairs.map(({ entity }) => entity),
      ...pairs.map(({ mention }) => mention),
    ];
    const images = [...named, ...viewed, ...viewed];
    const [n, v, e] = [named.length, viewed.length, entities.length];
    return {
      texts,
      pixels: this.#imageViews(images),
      images: images.length,
      pairings: {
        textImage: pairing(['text', 0], ['image', 0], n),
        imageViews: pairing(['image', n], ['image', n + v], v),
        textViews: pairing(['text', n], ['text', n + e], e),
        wordNet: pairing(['text', n + 2 * e], ['text', n + 2 * e + pairs.length], pairs.length),
      },
    };
  }

  /** The entity's text without some words of its attributes. */
  #textView(entity: Entity): string {
    const dropped = this.#draws.between(0, this.#options.wordDropout);
    const words = entity.attributes.split(' ').filter(() => this.#draws.uniform() >= dropped);
    return entityText({ ...entity, attributes: words.join(' ') });
  }

  #imageViews(pictures: readonly Picture[]): Float32Array<ArrayBuffer> {
    const { imageSize } = this.#data;
    const size = 3 * imageSize * imageSize;
    const views = new Float32Array(pictures.length * size);
    pictures.forEach(({ pixels }, i) => {
      const view = views.subarray(i * size, (i + 1) * size);
      randomView(pixels, view, imageSize, this.#options.augmentation, this.#draws);
    });
    return views;
  }
}

/** Entities of one name in a group, so that a batch holds homonyms together. */
function byName(entities: readonly Entity[]): Entity[][] {
  const groups = new Map<string, Entity[]>();
  for (const entity of entities) {
    const name = entity.name.toLowerCase();
    groups.set(name, [...(groups.get(name) ?? []), entity]);
  }
  return [...groups.values()];
}

function pairing(a: ['text' | 'image', number], b: ['text' | 'image', number], count: number): Pairing {
  return { a: { kind: a[0], first: a[1] }, b: { kind: b[0], first: b[1] }, count };
}

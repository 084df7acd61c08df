// ALBEF's matching head as a reranker (Li et al. 2021, arXiv:2107.07651): what tells whether a text and an image belong together
// reads the mention's image with the candidate's text, and the candidate's image with the mention's text. The score of a pair
// is the sum of both logits of a match. It begins as it was pretrained; training leaves the vision transformer as it is, so
// that each image is encoded once.
//
// L, R: text and image tokens, d, d_v: their widths.

import * as v from 'valibot';
import type { PixelSource } from '../../../data/images/pixel-source.ts';
import { albefPreprocessing } from '../../../data/images/preprocess.ts';
import { keptTable } from '../../../encoding/feature-cache.ts';
import {
  encodeImages,
  type FeatureOptions,
  type FeatureTable,
  imageRows,
  inMemory,
} from '../../../encoding/features.ts';
import { imageStamps, type Samples } from '../../../encoding/samples.ts';
import type { Device } from '../../../engine/device.ts';
import { add } from '../../../engine/ops/elementwise.ts';
import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import { reshape, slice } from '../../../engine/ops/shape.ts';
import type { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { UsageError } from '../../../files/errors.ts';
import { hashOf } from '../../../files/fingerprint.ts';
import type { Batch, Side } from '../../../ranking/scorer.ts';
import type { AlbefMatching } from '../../albef/albef.ts';
import { rowsOf } from '../../albef/token-rows.ts';
import { type BertDropout, type BertStates, firstTokens } from '../../bert/bert.ts';
import { type PackedText, packedBatch } from '../../bert/packed-texts.ts';
import { checkLength, dropoutField, lengthField } from '../../bert/text-options.ts';
import { type AlbefPart, type ParameterGroups, parameterGroups } from '../baseline.ts';
import { candidatesField, type RerankerRecipe, type TrainedReranker } from '../trained-reranker.ts';
import { packedPairs } from './albef-baseline.ts';

export const matcherSchema = v.strictObject({
  textLength: lengthField(64, 4),
  dropout: dropoutField,
  candidates: candidatesField,
});

export const matcherRecipe: RerankerRecipe = {
  learningRate: 1e-5,
  weightDecay: 0.02,
  batchSize: 2,
  epochs: 5,
  schedule: 'cosine',
  warmup: 0.1,
  clipNorm: 1,
};

/** Samples as the matcher keeps them: their texts, and the tokens of each distinct image. */
export interface MatcherInputs {
  texts: readonly PackedText[];
  images: FeatureTable;
  /** The row of each image's number. */
  imageRow: ReadonlyMap<number, number>;
}

/** Image tokens that are held in memory, in bytes; those of a whole knowledge base lie in the cache. */
const mostInMemory = 2 ** 30;

export class AlbefMatcher implements TrainedReranker<MatcherInputs> {
  readonly name: string;
  readonly device: Device;
  readonly mostPairs = 128;
  readonly candidates: number;
  readonly groups: ParameterGroups;
  #albef: AlbefPart;
  #matching: AlbefMatching;
  #textLength: number;
  #dropout: number;

  /** Throws UsageError for an ALBEF that was loaded without its matching head, InputError for texts longer than it takes. */
  constructor(
    name: string,
    device: Device,
    albef: AlbefPart,
    { textLength, dropout, candidates }: v.InferOutput<typeof matcherSchema>,
  ) {
    checkLength('textLength', textLength, albef.config.text);
    if (!albef.matching) throw new UsageError(`${name}: the ALBEF has no matching head`);
    this.name = name;
    this.device = device;
    this.candidates = candidates;
    this.groups = parameterGroups(new Map([...albef.tensors].filter(([of]) => isTrained(of))));
    this.#albef = albef;
    this.#matching = albef.matching;
    this.#textLength = textLength;
    this.#dropout = dropout;
  }

  async prepare(
    _side: Side,
    { texts }: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<MatcherInputs> {
    return {
      texts: packedPairs(this.#albef, texts, this.#textLength),
      images: await this.#imageTable(images, features),
      imageRow: new Map(images.map((image, row) => [image, row])),
    };
  }

  pairScores(
    mentions: Batch<MatcherInputs>,
    entities: Batch<MatcherInputs>,
    random: Random | null = null,
  ): Tensor {
    const dropped = random && this.#dropout > 0 ? { rate: this.#dropout, random } : undefined;
    return add(this.#matches(entities, mentions, dropped), this.#matches(mentions, entities, dropped));
  }

  /** Logits of a match of one side's texts with the other's images, [pairs]. */
  #matches(texts: Batch<MatcherInputs>, images: Batch<MatcherInputs>, dropped?: BertDropout): Tensor {
    const fused = this.#albef.module.fuse(this.#textsOf(texts, dropped), this.#imagesOf(images));
    const logits = this.#matching.logits(fused); // [pairs, 2]
    return reshape(slice(logits, 1, 1, 1), [texts.rows.length]);
  }

  /** T [pairs, L, d]; each distinct text is encoded once. */
  #textsOf({ inputs, rows }: Batch<MatcherInputs>, dropped?: BertDropout): BertStates {
    const distinct = [...new Set(rows)];
    const batch = packedBatch(distinct.map((row) => inputs.texts[row]!));
    const { hidden } = this.#albef.module.encodeText(batch, dropped);
    const places = Int32Array.from(rows, (row) => distinct.indexOf(row));
    const { length: L } = batch;
    const mask = new Int32Array(rows.length * L);
    for (const [i, place] of places.entries())
      mask.set(batch.mask.subarray(place * L, (place + 1) * L), i * L);
    return {
      hidden: rowsOf(hidden, this.device.tensor([rows.length], places, { name: 'text places' })),
      keyMask: this.device.tensor([rows.length, L], mask, { name: 'text mask' }),
      dropped,
    };
  }

  /** V [pairs, R, d_v]. */
  #imagesOf({ inputs, images }: Batch<MatcherInputs>): Tensor {
    const distinct = [...new Set(images)];
    const rows = distinct.map((image) => inputs.imageRow.get(image)!);
    const places = Int32Array.from(images, (image) => distinct.indexOf(image));
    return rowsOf(
      imageRows(this.device, inputs.images, rows).tokens,
      this.device.tensor([images.length], places, { name: 'image places' }),
    );
  }

  #imageTable(images: readonly number[], features: FeatureOptions): Promise<FeatureTable> {
    const { module: albef, config } = this.#albef;
    const { width, imageSize, patchSize } = config.vision;
    const source = features.source.seenAs(albefPreprocessing(imageSize));
    const tokens = 1 + Math.floor(imageSize / patchSize) ** 2;
    const encode = (pixels: Tensor) => {
      const states = albef.encodeImage(pixels);
      return { tokens: states, embeds: l2Normalize(albef.visionProjection(firstTokens(states))) };
    };
    const encoder = { device: this.device, width, projection: config.projection, tokens, encode };
    const table = encodeImages(encoder, source, images);
    if (4 * images.length * tokens * width <= mostInMemory) return inMemory(table);
    return keptTable(features, () => this.#imageKey(source, images, features), table);
  }

  async #imageKey(
    { how }: PixelSource,
    images: readonly number[],
    { files }: FeatureOptions,
  ): Promise<string> {
    const vision = [...this.#albef.tensors].filter(([name]) => /^vis/.test(name));
    const weights = await Promise.all(vision.map(([, tensor]) => this.device.read<'f32'>(tensor)));
    const stamps = await imageStamps(images.map((image) => files[image]!));
    return hashOf(['albef image', JSON.stringify(how), ...weights, ...stamps]);
  }
}

/** Text, fusion and the head. */
function isTrained(name: string): boolean {
  return name.startsWith('text_encoder.') || name.startsWith('itm_head.');
}

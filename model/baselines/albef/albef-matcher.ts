// ALBEF's matching head as a reranker (Li et al. 2021, arXiv:2107.07651): what tells whether a text and an image belong together
// reads the mention's image with the candidate's text, and the candidate's image with the mention's text. The score of a pair
// is the sum of both logits of a match.
//
// L, R: text and image tokens, d, d_v: their widths.

import type { PixelSource } from '../../../data/images/pixel-source.ts';
import { albefPreprocessing } from '../../../data/images/preprocess.ts';
import type { FeatureOptions } from '../../../encoding/features.ts';
import type { Samples } from '../../../encoding/samples.ts';
import { noGrad } from '../../../engine/autograd.ts';
import type { Device } from '../../../engine/device.ts';
import { add } from '../../../engine/ops/elementwise.ts';
import { reshape, slice } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { UsageError } from '../../../files/errors.ts';
import type { Reranker } from '../../../ranking/reranker.ts';
import type { Batch, Side } from '../../../ranking/scorer.ts';
import type { AlbefMatching } from '../../albef/albef.ts';
import { rowsOf } from '../../albef/token-rows.ts';
import type { BertStates } from '../../bert/bert.ts';
import { type PackedText, packedBatch } from '../../bert/packed-texts.ts';
import { checkLength } from '../../bert/text-options.ts';
import type { AlbefPart } from '../baseline.ts';
import { packedPairs } from './albef-baseline.ts';

/** Samples as the matcher keeps them: their texts, and the tokens of each distinct image, [images, R, d_v]. */
export interface MatcherInputs {
  texts: readonly PackedText[];
  images: Float32Array<ArrayBuffer>;
  /** The row of each image's number. */
  imageRow: ReadonlyMap<number, number>;
}

/** Images that are encoded at a time. */
const imageBatch = 32;

export class AlbefMatcher implements Reranker<MatcherInputs> {
  readonly name: string;
  readonly device: Device;
  readonly mostPairs = 128;
  #albef: AlbefPart;
  #matching: AlbefMatching;
  #textLength: number;

  /** Throws UsageError for an ALBEF that was loaded without its matching head, InputError for texts longer than it takes. */
  constructor(name: string, device: Device, albef: AlbefPart, { textLength }: { textLength: number }) {
    checkLength('textLength', textLength, albef.config.text);
    if (!albef.matching) throw new UsageError(`${name}: the ALBEF has no matching head`);
    this.name = name;
    this.device = device;
    this.#albef = albef;
    this.#matching = albef.matching;
    this.#textLength = textLength;
  }

  pixelSource({ source }: FeatureOptions): PixelSource {
    return source.seenAs(albefPreprocessing(this.#albef.config.vision.imageSize));
  }

  async prepare(
    _side: Side,
    { texts }: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<MatcherInputs> {
    const source = this.pixelSource(features);
    const { size } = source;
    const groups: number[][] = [];
    for (let i = 0; i < images.length; i += imageBatch) groups.push(images.slice(i, i + imageBatch));
    const parts: Float32Array[] = [];
    for await (const pixels of source.groups(groups)) {
      const count = pixels.length / (3 * size * size);
      const read = this.device.scope(() => {
        const input = this.device.tensor([count, 3, size, size], pixels, { name: 'pixels' });
        return this.device.read<'f32'>(noGrad(() => this.#albef.module.encodeImage(input)));
      });
      parts.push(await read);
    }
    const tokens = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    let first = 0;
    for (const part of parts) {
      tokens.set(part, first);
      first += part.length;
    }
    return {
      texts: packedPairs(this.#albef, texts, this.#textLength),
      images: tokens,
      imageRow: new Map(images.map((image, row) => [image, row])),
    };
  }

  pairScores(mentions: Batch<MatcherInputs>, entities: Batch<MatcherInputs>): Tensor {
    return add(this.#matches(entities, mentions), this.#matches(mentions, entities));
  }

  /** Logits of a match of one side's texts with the other's images, [pairs]. */
  #matches(texts: Batch<MatcherInputs>, images: Batch<MatcherInputs>): Tensor {
    const fused = this.#albef.module.fuse(this.#textsOf(texts), this.#imagesOf(images));
    const logits = this.#matching.logits(fused); // [pairs, 2]
    return reshape(slice(logits, 1, 1, 1), [texts.rows.length]);
  }

  /** T [pairs, L, d]; each distinct text is encoded once. */
  #textsOf({ inputs, rows }: Batch<MatcherInputs>): BertStates {
    const distinct = [...new Set(rows)];
    const batch = packedBatch(distinct.map((row) => inputs.texts[row]!));
    const { hidden } = this.#albef.module.encodeText(batch);
    const places = Int32Array.from(rows, (row) => distinct.indexOf(row));
    const { length: L } = batch;
    const mask = new Int32Array(rows.length * L);
    for (const [i, place] of places.entries())
      mask.set(batch.mask.subarray(place * L, (place + 1) * L), i * L);
    return {
      hidden: rowsOf(hidden, this.device.tensor([rows.length], places, { name: 'text places' })),
      keyMask: this.device.tensor([rows.length, L], mask, { name: 'text mask' }),
    };
  }

  /** V [pairs, R, d_v]. */
  #imagesOf({ inputs, images }: Batch<MatcherInputs>): Tensor {
    const { width } = this.#albef.config.vision;
    const each = inputs.images.length / inputs.imageRow.size;
    const distinct = [...new Set(images)];
    const tokens = new Float32Array(distinct.length * each);
    for (const [i, image] of distinct.entries()) {
      const row = inputs.imageRow.get(image)!;
      tokens.set(inputs.images.subarray(row * each, (row + 1) * each), i * each);
    }
    const places = Int32Array.from(images, (image) => distinct.indexOf(image));
    return rowsOf(
      this.device.tensor([distinct.length, each / width, width], tokens, { name: 'image tokens' }),
      this.device.tensor([images.length], places, { name: 'image places' }),
    );
  }
}

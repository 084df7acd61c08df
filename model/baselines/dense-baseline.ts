// A baseline of one vector a side: the score of a pair is their dot product, times a scale where one is learned. What such a
// system says itself is what it reads, how that becomes a vector, and what it learns; ranking, indexes, retrieval and training
// follow from that.

import * as v from 'valibot';
import type { PixelSource } from '../../data/images/pixel-source.ts';
import type { FeatureOptions } from '../../encoding/features.ts';
import { firstImages, type Samples } from '../../encoding/samples.ts';
import { noGrad } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { matmul } from '../../engine/ops/matmul.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Batch, PackedSide, Side, SideLayout } from '../../ranking/scorer.ts';
import { contrastiveLoss, hingeLoss } from '../loss.ts';
import type { Baseline, EncodingBatch, ParameterGroups } from './baseline.ts';
import type { LogitScale } from './logit-scale.ts';

/** Vectors of samples, each with its first image: [samples, D]. */
export interface VectorTable {
  vectors: Float32Array<ArrayBuffer>;
}

/** A side: one vector a sample, [B, D]. Those of mentions have the score's scale in them. */
export interface DenseSide {
  vector: Tensor;
}

/** What pairs are scored and learned by. */
export interface DenseScore {
  /** D. */
  width: number;
  /** null: scores are the dot products as they are. */
  logitScale: LogitScale | null;
  /** Of the hinge loss, by which cosines without a scale are learned; null: cross-entropy in any case. */
  margin: number | null;
}

/** The losses that a system of cosines may learn by. */
export const losses = ['ce', 'hinge'] as const;

/** The field by which a configuration chooses one of them. */
export const lossField = (usual: (typeof losses)[number]) => v.optional(v.picklist(losses), usual);

const encodeBatch = 64;

export abstract class DenseBaseline<Raw, M extends DenseSide = DenseSide>
  implements Baseline<VectorTable, M | DenseSide, DenseSide, Raw>
{
  readonly name: string;
  readonly device: Device;
  abstract readonly groups: ParameterGroups;
  readonly layout: SideLayout;
  readonly retrievalPart = 'vector';
  /** All pairs are one matrix product: no mask would save anything. */
  readonly usesPairMask = false;
  readonly ignoresLengths = true;
  #score: DenseScore;

  constructor(name: string, device: Device, score: DenseScore) {
    this.name = name;
    this.device = device;
    this.layout = { vector: { columns: score.width, rows: 'entity', precision: 'float16' } };
    this.#score = score;
  }

  abstract trainingInputs(
    side: Side,
    samples: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<Raw>;

  /** Vectors without the scale, [B, D], in the current scope; differentiable where the tape records. */
  abstract encode(side: Side, batch: EncodingBatch<Raw>): Tensor;

  pixelSource(_features: FeatureOptions): PixelSource | null {
    return null;
  }

  async prepare(
    side: Side,
    samples: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<VectorTable> {
    const inputs = await this.trainingInputs(side, samples, images, features);
    const { width: D } = this.#score;
    const { each } = firstImages(samples);
    const vectors = new Float32Array(each.length * D);
    // Texts of similar length are encoded together: less of the work goes into padding.
    const order = [...each.keys()].sort(
      (a, b) => samples.tokens.lengths[a]! - samples.tokens.lengths[b]! || a - b,
    );
    const batches: number[][] = [];
    for (let i = 0; i < order.length; i += encodeBatch) batches.push(order.slice(i, i + encodeBatch));
    const source = this.pixelSource(features);
    const groups = batches.map((rows) => [...new Set(rows.map((row) => each[row]!))]);
    const decoded = source?.groups(groups);
    for (const [i, rows] of batches.entries()) {
      const own = decoded ? (await decoded.next()).value! : null;
      const batch = { inputs, rows, images: rows.map((row) => each[row]!), random: null };
      const places = Int32Array.from(batch.images, (image) => groups[i]!.indexOf(image));
      const found = await this.device.scope(() => {
        const pixels = own && pixelTensor(this.device, own, groups[i]!.length);
        return this.device.read<'f32'>(noGrad(() => this.encode(side, { ...batch, pixels, places })));
      });
      for (const [j, row] of rows.entries()) vectors.set(found.subarray(j * D, (j + 1) * D), row * D);
    }
    return { vectors };
  }

  preparedBytes({ images }: Samples): number {
    return 4 * this.#score.width * images.length;
  }

  mentionSide(batch: Batch<VectorTable>): DenseSide {
    return { vector: this.#scaled(this.#rowsOf(batch)) };
  }

  entitySide(batch: Batch<VectorTable>, rounded: (x: Tensor) => Tensor = (x) => x): DenseSide {
    return { vector: rounded(this.#rowsOf(batch)) };
  }

  encodeMentions(batch: EncodingBatch<Raw>): M | DenseSide {
    return this.scaledSide({ vector: this.encode('mention', batch) });
  }

  encodeEntities(batch: EncodingBatch<Raw>): DenseSide {
    return { vector: this.encode('entity', batch) };
  }

  /** A mention's side with the scale in its vector. */
  protected scaledSide<S extends DenseSide>(side: S): S {
    return { ...side, vector: this.#scaled(side.vector) };
  }

  scores(mentions: DenseSide, entities: DenseSide): Tensor {
    return matmul(mentions.vector, entities.vector, { transposeB: true });
  }

  pairSize(): number {
    return 1;
  }

  loss(mentions: M | DenseSide, entities: DenseSide, columns: Int32Array): Tensor {
    const scores = this.scores(mentions, entities);
    const { logitScale, margin } = this.#score;
    return logitScale !== null || margin === null
      ? contrastiveLoss(scores, columns)
      : hingeLoss(scores, columns, margin);
  }

  afterStep(): void {
    this.#score.logitScale?.bound();
  }

  pack({ vector }: DenseSide): PackedSide {
    return { parts: { vector }, offsets: {} };
  }

  unpack({ parts }: PackedSide): DenseSide {
    return { vector: parts['vector']! };
  }

  retrievalVectors(_side: Side, batch: Batch<VectorTable>): Tensor {
    return this.#rowsOf(batch);
  }

  #rowsOf({ inputs, rows }: Batch<VectorTable>): Tensor {
    const { width: D } = this.#score;
    const first = rows[0] ?? 0;
    if (rows.every((row, i) => row === first + i)) {
      const own = inputs.vectors.subarray(first * D, (first + rows.length) * D);
      return this.device.tensor([rows.length, D], own, { name: 'vectors' });
    }
    const picked = new Float32Array(rows.length * D);
    for (const [i, row] of rows.entries()) picked.set(inputs.vectors.subarray(row * D, (row + 1) * D), i * D);
    return this.device.tensor([rows.length, D], picked, { name: 'vectors' });
  }

  #scaled(vectors: Tensor): Tensor {
    return this.#score.logitScale?.times(vectors) ?? vectors;
  }
}

/** Pixels of so many images, on the device: [images, 3, S, S]. */
export function pixelTensor(device: Device, pixels: Float32Array<ArrayBuffer>, images: number): Tensor {
  const size = Math.round(Math.sqrt(pixels.length / (3 * images)));
  return device.tensor([images, 3, size, size], pixels, { name: 'pixels' });
}

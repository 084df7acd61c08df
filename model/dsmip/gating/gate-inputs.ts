// What the gate sees: of each text the mean token embedding, of each image a feature, standardised over the training
// mentions and over the entities. Means and deviations belong to the gate's weights, so that it needs no data set later.

import { type FeatureOptions, type FeatureTable, meanTokens } from '../../../encoding/features.ts';
import { firstImage, pickTexts, type Samples } from '../../../encoding/samples.ts';
import type { Device } from '../../../engine/device.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { WeightsError } from '../../../files/errors.ts';
import type { Batch, Side } from '../../../ranking/scorer.ts';
import type { Safetensors } from '../../../weights/safetensors.ts';
import type { TensorToWrite } from '../../../weights/write-safetensors.ts';
import { imageTable } from '../../clip/image-table.ts';
import type { LoadedClip } from '../../clip/load-clip.ts';
import { vgg16 } from '../../vgg/vgg.ts';
import { vggTable } from '../../vgg/vgg-table.ts';
import { gateFeatures } from './gate.ts';

/** A matrix on the host. */
interface Matrix {
  data: Float32Array<ArrayBuffer>;
  width: number;
}

/** Features of samples before they are standardised; images by their numbers. */
export interface GateInputs {
  text: Matrix;
  image: Matrix & { rowOf: ReadonlyMap<number, number> };
}

/** Whose feature of an image a gate sees: CLIP's mean token, or VGG16's fc7 by the weights in a file. */
export interface GateImage {
  image: 'clip' | 'vgg';
  vgg: string;
}

/** Mean and standard deviation of each feature; 1 for one that is constant. */
export interface ColumnStatistics {
  mean: Float64Array<ArrayBuffer>;
  deviation: Float64Array<ArrayBuffer>;
}

export type GateStatistics = Readonly<Record<Side, ColumnStatistics>>;

const chunk = 256;

/** Each image's mean token, of tables that others may have as well. */
const means = new WeakMap<FeatureTable, Matrix>();

/** Features a gate sees of a sample: d_t + d_i. */
export function gateWidth({ config }: LoadedClip, kind: GateImage['image']): number {
  return config.text.width + (kind === 'clip' ? config.vision.width : vgg16.hidden);
}

/** Computes the features of all texts of some samples and of these images. */
export async function gateInputs(
  device: Device,
  clip: LoadedClip,
  kind: GateImage,
  samples: Samples,
  images: readonly number[],
  features: FeatureOptions,
): Promise<GateInputs> {
  const rowOf = new Map(images.map((image, row) => [image, row]));
  const table =
    kind.image === 'clip'
      ? await imageTable(clip, [], images, features)
      : await vggTable(device, kind.vgg, images, features);
  const image = means.get(table) ?? { data: meanTokens(table), width: table.width };
  means.set(table, image);
  return { text: await meanEmbeddings(device, clip, samples), image: { ...image, rowOf } };
}

/** Standardised features of a batch on the device: [rows, f]. */
export function gateRows(
  device: Device,
  { inputs, rows, images }: Batch<GateInputs>,
  by: ColumnStatistics,
): Tensor {
  const width = inputs.text.width + inputs.image.width;
  const data = joined(inputs, rows, images).map(
    (x, i) => (x - by.mean[i % width]!) / by.deviation[i % width]!,
  );
  return device.tensor([rows.length, width], data, { name: 'gate features' });
}

/** The statistics of samples, each with its first image. */
export function gateStatistics(inputs: GateInputs, samples: Samples): ColumnStatistics {
  const n = samples.images.length;
  const parts = function* () {
    for (let first = 0; first < n; first += chunk) {
      const rows = Array.from({ length: Math.min(chunk, n - first) }, (_, i) => first + i);
      yield joined(
        inputs,
        rows,
        rows.map((row) => firstImage(samples, row)),
      );
    }
  };
  return columnStatistics(parts, n, inputs.text.width + inputs.image.width);
}

const sides = ['mention', 'entity'] as const;
const moments = ['mean', 'deviation'] as const;
const tensorName = (side: Side, moment: string) => `gate.statistics.${side}.${moment}`;

/** The statistics as tensors of the gate's checkpoint, in float64: figures keep their bits. */
export function statisticsTensors(statistics: GateStatistics): Record<string, TensorToWrite> {
  return Object.assign({}, ...sides.map((side) => columnTensors(side, statistics[side])));
}

/** Those of one side. */
export function columnTensors(side: Side, statistics: ColumnStatistics): Record<string, TensorToWrite> {
  const tensors: Record<string, TensorToWrite> = {};
  for (const moment of moments) {
    const data = statistics[moment];
    tensors[tensorName(side, moment)] = { dtype: 'F64', shape: [data.length], data };
  }
  return tensors;
}

/** Reads them for features of this width. Throws WeightsError for a checkpoint without them or of another width. */
export async function readStatistics(file: Safetensors, width: number): Promise<GateStatistics> {
  const of = (side: Side) => readColumns(file, side, width);
  return { mention: await of('mention'), entity: await of('entity') };
}

/** Reads those of one side. Throws WeightsError as `readStatistics` does. */
export async function readColumns(file: Safetensors, side: Side, width: number): Promise<ColumnStatistics> {
  const read = async (moment: string) => {
    const name = tensorName(side, moment);
    const { dtype, shape } = file.info(name);
    if (dtype !== 'F64' || `${shape}` !== `${width}`) {
      throw new WeightsError(
        `${file.file}: tensor '${name}': expected F64 [${width}], found ${dtype} [${shape}]`,
      );
    }
    return (await file.read(name)) as Float64Array<ArrayBuffer>;
  };
  return { mean: await read('mean'), deviation: await read('deviation') };
}

/** Rows of the texts' features beside their images': [rows, d_t + d_i]. */
function joined(
  { text, image }: GateInputs,
  rows: readonly number[],
  images: readonly number[],
): Float32Array<ArrayBuffer> {
  const width = text.width + image.width;
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    data.set(text.data.subarray(row * text.width, (row + 1) * text.width), i * width);
    const from = image.rowOf.get(images[i]!)! * image.width;
    data.set(image.data.subarray(from, from + image.width), i * width + text.width);
  });
  return data;
}

/** The mean token embedding of every text. */
async function meanEmbeddings(device: Device, clip: LoadedClip, samples: Samples): Promise<Matrix> {
  const { width } = clip.config.text;
  const table = clip.module.text.tokenTable;
  const n = samples.tokens.count;
  const data = new Float32Array(n * width);
  for (let first = 0; first < n; first += chunk) {
    const rows = Array.from({ length: Math.min(chunk, n - first) }, (_, i) => first + i);
    const texts = pickTexts(samples.tokens, rows);
    // The image's place in f is filled later: images are drawn.
    const pending = device.scope(() => {
      const f = gateFeatures(table, texts, device.zeros([rows.length, 1]));
      return device.read<'f32'>(f);
    });
    const f = await pending;
    rows.forEach((row, i) => {
      data.set(f.subarray(i * (width + 1), i * (width + 1) + width), row * width);
    });
  }
  return { data, width };
}

/**
 * Mean and standard deviation of each column of n rows, which come some at a time, twice; 1 for a column that is
 * constant.
 */
export function columnStatistics(
  parts: () => Iterable<Float32Array>,
  n: number,
  width: number,
): ColumnStatistics {
  const [mean, deviation] = [new Float64Array(width), new Float64Array(width)];
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++) mean[i % width]! += part[i]! / n;
  }
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++) deviation[i % width]! += (part[i]! - mean[i % width]!) ** 2 / n;
  }
  return { mean, deviation: deviation.map((variance) => (variance > 1e-12 ? Math.sqrt(variance) : 1)) };
}

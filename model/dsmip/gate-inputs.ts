// What the gate sees: of each text the mean token embedding, of each image a feature, standardised over the training
// mentions and over the entities.

import type { Split } from '../../data/dataset.ts';
import type { FeatureOptions } from '../../encoding/features.ts';
import { meanTokens } from '../../encoding/features.ts';
import { firstImage, pickTexts, type Samples } from '../../encoding/samples.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Session } from '../../link/session.ts';
import { vggTable } from '../vgg/vgg-table.ts';
import { Expert } from './expert-model.ts';
import { gateFeatures } from './gate.ts';

/** Whose rows: a split's mentions or the entities. */
export type GateSide = Split | 'entity';

export interface GateFeatures {
  /** f = d_t + d_i. */
  width: number;
  /** Standardised features [rows, f] on the device. */
  rows(side: GateSide, of: { rows: readonly number[]; images: readonly number[] }): Tensor;
  /** The same of mentions that are in no split; images are numbers into `from.files`. [samples, f] on the host. */
  others(samples: Samples, from: FeatureOptions): Promise<Float32Array<ArrayBuffer>>;
}

/** A matrix on the host. */
interface Matrix {
  data: Float32Array<ArrayBuffer>;
  width: number;
}

const chunk = 256;

/** Image features by the images' numbers. */
interface ImageFeatures extends Matrix {
  rowOf: ReadonlyMap<number, number>;
}

interface ImageKind {
  'gate-image': 'clip' | 'vgg';
  vgg: string;
}

/**
 * Computes the features of all texts and images of a run; without those of the entities if `sees` says so, for a gate
 * that does not look at them or whose shares of them are known.
 */
export async function gateInputs(
  session: Session,
  kind: ImageKind,
  sees: 'all' | 'mentions' = 'all',
): Promise<GateFeatures> {
  const { device, corpus } = session;
  const { entities, mentions } = corpus;
  const samples: Partial<Record<GateSide, Samples>> = {
    ...mentions,
    ...(sees === 'all' ? { entity: entities } : {}),
  };
  const used = Object.values(samples).flatMap((of) => of.images.map((_, row) => firstImage(of, row)));
  // All images where training may draw any of them.
  const wanted = sees === 'all' ? [...corpus.files.keys()] : [...new Set([0, ...used])];
  const images = await imageFeatures(session, kind, wanted, session.features);
  const texts: Partial<Record<GateSide, Matrix>> = {};
  for (const side of Object.keys(samples) as GateSide[])
    texts[side] = await meanEmbeddings(session, samples[side]!);
  const width = texts.train!.width + images.width;
  const statistics = (side: GateSide) => {
    const of = samples[side];
    if (!of) return null;
    const parts = function* () {
      for (let first = 0; first < of.images.length; first += chunk) {
        const count = Math.min(chunk, of.images.length - first);
        const rows = Array.from({ length: count }, (_, i) => first + i);
        const taken = rows.map((row) => firstImage(of, row));
        yield joined(texts[side]!, rows, images, taken);
      }
    };
    return columnStatistics(parts, of.images.length, width);
  };
  const [mention, entity] = [statistics('train'), statistics('entity')];
  const standard = (data: Float32Array<ArrayBuffer>, by: typeof mention) =>
    data.map((x, i) => (x - by!.mean[i % width]!) / by!.deviation[i % width]!);
  return {
    width,
    rows(side, { rows, images: taken }) {
      const data = joined(texts[side]!, rows, images, taken);
      const by = side === 'entity' ? entity : mention;
      return device.tensor([rows.length, width], standard(data, by), { name: 'gate features' });
    },
    async others(of, from) {
      const rows = [...of.images.keys()];
      const taken = rows.map((row) => firstImage(of, row));
      const own = await imageFeatures(session, kind, [...new Set(taken)], from);
      return standard(joined(await meanEmbeddings(session, of), rows, own, taken), mention);
    },
  };
}

/** Rows of the texts' features beside their images': [rows, d_t + d_i]. */
function joined(
  text: Matrix,
  rows: readonly number[],
  image: ImageFeatures,
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

async function imageFeatures(
  session: Session,
  { 'gate-image': kind, vgg }: ImageKind,
  images: readonly number[],
  from: FeatureOptions,
): Promise<ImageFeatures> {
  const rowOf = new Map(images.map((image, row) => [image, row]));
  if (kind === 'clip') return { ...(await clipTable(session, images, from)), rowOf };
  const files = images.map((image) => from.files[image]!);
  const corpus = { ...session.corpus, files };
  return { ...(await vggTable({ ...session, corpus, features: from }, vgg)), rowOf };
}

/** CLIP's mean image token of each image, without prompts: --gate-image clip. */
async function clipTable(session: Session, images: readonly number[], from: FeatureOptions): Promise<Matrix> {
  const shape = { hidden: 1, prompts: { length: 1, depth: 0 } };
  const visual = new Expert(session.device, 'visual', session.clip, shape, new Random(0));
  const { image } = await visual.tables('entity', session.corpus.entities, images, from);
  return { data: meanTokens(image!), width: image!.width };
}

/** The mean token embedding of every text. */
async function meanEmbeddings(session: Session, samples: Samples): Promise<Matrix> {
  const { device, clip } = session;
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
function columnStatistics(
  parts: () => Iterable<Float32Array>,
  n: number,
  width: number,
): { mean: Float64Array; deviation: Float64Array } {
  const [mean, deviation] = [new Float64Array(width), new Float64Array(width)];
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++) mean[i % width]! += part[i]! / n;
  }
  for (const part of parts()) {
    for (let i = 0; i < part.length; i++) deviation[i % width]! += (part[i]! - mean[i % width]!) ** 2 / n;
  }
  return { mean, deviation: deviation.map((variance) => (variance > 1e-12 ? Math.sqrt(variance) : 1)) };
}

// What the gate sees: of each text the mean token embedding, of each image a feature, standardised over the training
// mentions and over the entities.

import type { Split } from '../data/dataset.ts';
import { Random } from '../engine/random.ts';
import type { Tensor } from '../engine/tensor.ts';
import { gateFeatures } from '../model/gate.ts';
import { Expert } from './expert-model.ts';
import { meanTokens } from './features.ts';
import type { Run } from './run.ts';
import { firstImage, pickTexts, type Samples } from './samples.ts';
import { vggTable } from './vgg-table.ts';

/** Whose rows: a split's mentions or the entities. */
export type GateSide = Split | 'entity';

export interface GateFeatures {
  /** f = d_t + d_i. */
  width: number;
  /** Standardised features [rows, f] on the device. */
  rows(side: GateSide, of: { rows: readonly number[]; images: readonly number[] }): Tensor;
}

/** A matrix on the host. */
interface Matrix {
  data: Float32Array<ArrayBuffer>;
  width: number;
}

const chunk = 256;

/** Computes the features of all texts and images of a run. */
export async function gateInputs(
  run: Run,
  { 'gate-image': of, vgg }: { 'gate-image': 'clip' | 'vgg'; vgg: string },
): Promise<GateFeatures> {
  const { device, corpus } = run;
  const image = of === 'vgg' ? await vggTable(run, vgg) : await clipTable(run);
  const samples: Record<GateSide, Samples> = { ...corpus.mentions, entity: corpus.entities };
  const texts = {} as Record<GateSide, Matrix>;
  for (const side of Object.keys(samples) as GateSide[])
    texts[side] = await meanEmbeddings(run, samples[side]);
  const width = texts.entity.width + image.width;
  const gather = (side: GateSide, rows: readonly number[], images: readonly number[]) => {
    const text = texts[side];
    const data = new Float32Array(rows.length * width);
    rows.forEach((row, i) => {
      data.set(text.data.subarray(row * text.width, (row + 1) * text.width), i * width);
      const number = images[i]!;
      const from = number * image.width;
      data.set(image.data.subarray(from, from + image.width), i * width + text.width);
    });
    return data;
  };
  const statistics = (side: GateSide) => {
    const rows = [...samples[side].images.keys()];
    const images = rows.map((row) => firstImage(samples[side], row));
    return columnStatistics(gather(side, rows, images), width);
  };
  const [mention, entity] = [statistics('train'), statistics('entity')];
  return {
    width,
    rows(side, { rows, images }) {
      const { mean, deviation } = side === 'entity' ? entity : mention;
      const data = gather(side, rows, images).map((x, i) => (x - mean[i % width]!) / deviation[i % width]!);
      return device.tensor([rows.length, width], data, { name: 'gate features' });
    },
  };
}

/** CLIP's mean image token of every image, without prompts: --gate-image clip. */
async function clipTable(run: Run): Promise<Matrix> {
  const shape = { hidden: 1, prompts: { length: 1, depth: 0 } };
  const visual = new Expert(run.device, 'visual', run.clip, shape, new Random(0));
  const images = [...run.corpus.files.keys()];
  const { image } = await visual.tables('entity', run.corpus.entities, images, run.features);
  return { data: meanTokens(image!), width: image!.width };
}

/** The mean token embedding of every text. */
async function meanEmbeddings(run: Run, samples: Samples): Promise<Matrix> {
  const { device, clip } = run;
  const { vocabulary, width } = clip.config.text;
  const table = clip.parameters.get('text_model.embeddings.token_embedding.weight', [vocabulary, width]);
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

/** Mean and standard deviation of each column; 1 for a column that is constant. */
function columnStatistics(
  data: Float32Array,
  width: number,
): { mean: Float64Array; deviation: Float64Array } {
  const n = data.length / width;
  const [mean, deviation] = [new Float64Array(width), new Float64Array(width)];
  data.forEach((x, i) => {
    mean[i % width]! += x / n;
  });
  data.forEach((x, i) => {
    deviation[i % width]! += (x - mean[i % width]!) ** 2 / n;
  });
  return { mean, deviation: deviation.map((variance) => (variance > 1e-12 ? Math.sqrt(variance) : 1)) };
}

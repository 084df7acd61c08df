// The student of texts, in two phases and an end: a bag of the teacher's words, a transformer that begins as that bag, and
// ordinary sentences with the entities of a name together.

import type { TextBatch, Tokens } from '../../../encoding/samples.ts';
import { noGrad } from '../../../engine/autograd.ts';
import type { Device } from '../../../engine/device.ts';
import { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { hashOf } from '../../../files/fingerprint.ts';
import type { ClipConfig } from '../../../model/clip/clip.ts';
import { ClipTextEncoder } from '../../../model/clip/clip.ts';
import { initialise } from '../../../model/initialise.ts';
import type { Built, ParameterSource, ParameterSpec, Start } from '../../../model/parameter-source.ts';
import { RandomStream } from '../../random-stream.ts';
import { type ClipPretraining, phaseSchemas, type StudentSettings } from '../clip-schema.ts';
import { normalNumbers } from '../normal-numbers.ts';
import { type Phase, type PhaseStep, trainPhase, type Workplace } from '../phase.ts';
import {
  centred,
  identity,
  meanOf,
  pickRows,
  principalAxes,
  projected,
  type Rows,
  ridge,
} from '../principal-axes.ts';
import { readWeights, type Weights } from '../weights.ts';
import type { Corpus } from './corpus.ts';
import { encodeByLength } from './encode-by-length.ts';
import { TextBag } from './text-bag.ts';
import { countsOf, TextBatches } from './text-batches.ts';
import { studentLoss } from './text-loss.ts';

/** What the student learns from. */
export interface TextData {
  corpus: Corpus;
  /** Of the corpus's texts. */
  tokens: Tokens;
  /** The teacher's vectors of the corpus's texts, mapped: [texts, d_z], of length 1. */
  targets: Rows;
  /** The teacher's vectors of the vocabulary's tokens: [V, d_teacher]. */
  words: Rows;
  bosId: number;
  eosId: number;
}

/** Embeds texts [B, L] as [B, d_z]. */
export type Encode = (batch: TextBatch) => Tensor;

/** Texts that are encoded at a time where nothing is trained. */
const chunkTexts = 512;

/** Trains the bag; `validate` is told how it encodes. */
export async function trainBag(
  place: Workplace,
  config: ClipPretraining,
  data: TextData,
  madeFrom: Phase['madeFrom'],
  validate: (encode: Encode) => ReturnType<Phase['validate']>,
): Promise<Weights> {
  const { device } = place;
  const { text, projection, loss, bag: settings } = config;
  const vocabulary = data.words.values.length / data.words.width;
  const { module: bag, tensors } = initialise(
    device,
    new Random(place.seed),
    (p) => new TextBag(p, vocabulary, text.width, projection.width, Math.log(loss.logitScale)),
  );
  try {
    device.write(bag.tokenTable, await tokenTable(device, data, config, new Random(place.seed)));
    device.write(tensors.get('text_projection.weight')!, await fitProjection(bag, data, config));
    const encode = (batch: TextBatch) => bag.encode(batch);
    await trainPhase(place, {
      name: 'bag',
      settings,
      schedule: 'cosine',
      adam: { beta2: 0.999, eps: 1e-8 },
      parameters: tensors,
      schema: phaseSchemas.bag,
      config,
      madeFrom,
      batches: () => studentSteps(encode, bag.logitScale, settings, config, data, place.seed),
      validate: () => validate(encode),
    });
    return await readWeights(device, tensors);
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
}

/** The text side of a CLIP with the logit scale. */
export class TextStudent {
  readonly logitScale: Tensor;
  readonly encoder: ClipTextEncoder;

  constructor(p: ParameterSource, config: ClipConfig) {
    this.logitScale = p.parameter('logit_scale', [], { value: 0 });
    this.encoder = new ClipTextEncoder(p, config);
  }
}

/** A transformer on the device that gives nearly the bag's embeds. */
export function beginTransformer(
  device: Device,
  config: ClipConfig,
  bag: Weights,
  tokenDeviation: number,
  seed: number,
): Built<TextStudent> {
  const { text } = config;
  const built = initialise(
    device,
    new Random(seed),
    (p) => new TextStudent(p, config),
    (name, spec) => startOf(name, spec, text),
  );
  for (const [name, tensor] of built.tensors) {
    const values = bag.get(name);
    if (values)
      device.write(tensor, name === tokenTableName ? scaledRows(values, text.width, tokenDeviation) : values);
    else if (identities.test(name)) device.write(tensor, identity(text.width, text.width));
  }
  return built;
}

/** Trains the transformer from the bag on, then on ordinary sentences. */
export async function trainTransformer(
  place: Workplace,
  config: ClipPretraining,
  shape: ClipConfig,
  bag: Weights,
  data: TextData,
  madeFrom: Phase['madeFrom'],
  validate: (encode: Encode) => ReturnType<Phase['validate']>,
): Promise<Weights> {
  const { device } = place;
  const { module, tensors } = beginTransformer(device, shape, bag, config.text.tokenDeviation, place.seed);
  const encode = (batch: TextBatch) => module.encoder.encode(batch).embeds;
  try {
    for (const name of ['transformer', 'homonyms'] as const) {
      const settings = config[name];
      await trainPhase(place, {
        name,
        settings,
        schedule: 'cosine',
        adam: { beta2: 0.98, eps: 1e-6 },
        parameters: tensors,
        schema: phaseSchemas[name],
        config,
        madeFrom: { ...madeFrom, start: hashOf([...(await readWeights(device, tensors)).values()]) },
        batches: () => studentSteps(encode, module.logitScale, settings, config, data, place.seed),
        validate: () => validate(encode),
      });
    }
    return await readWeights(device, tensors);
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
}

/** Embeds [count, d_z] of the first `count` texts, or of all, read from the device. */
export async function encodeTexts(
  device: Device,
  encode: Encode,
  tokens: Tokens,
  count = tokens.count,
): Promise<Rows> {
  const parts: Float32Array[] = [];
  let width = 0;
  for (let first = 0; first < count; first += chunkTexts) {
    const rows = Array.from({ length: Math.min(chunkTexts, count - first) }, (_, i) => first + i);
    const read = device.scope(() => {
      const embeds = noGrad(() => encodeByLength(device, encode, tokens, rows));
      width = embeds.shape[1]!;
      return device.read<'f32'>(embeds);
    });
    parts.push(await read);
  }
  const values = new Float32Array(count * width);
  parts.forEach((part, i) => {
    values.set(part, i * chunkTexts * width);
  });
  return { values, width };
}

/** The batches of a phase with their losses, without an end. */
function* studentSteps(
  encode: Encode,
  logitScale: Tensor,
  settings: StudentSettings,
  { loss }: ClipPretraining,
  { corpus, tokens, targets }: TextData,
  seed: number,
): Generator<PhaseStep, never> {
  const { device } = logitScale;
  const batches = new TextBatches(corpus, countsOf(settings), new RandomStream(seed));
  while (true) {
    const step = batches.next();
    const n = step.rows.length;
    yield {
      examples: n,
      loss: () => {
        const embeds = encodeByLength(device, encode, tokens, step.rows);
        const goal = device.tensor([n, targets.width], pickRows(targets, step.rows));
        return studentLoss(embeds, goal, step, logitScale, settings, loss.maxLogitScale);
      },
    };
  }
}

/** The teacher's vectors of tokens on their principal axes, every row of the same deviation; BOS and EOS random. */
async function tokenTable(
  device: Device,
  { words, bosId, eosId }: TextData,
  { text }: ClipPretraining,
  random: Random,
): Promise<Float32Array<ArrayBuffer>> {
  const rows = centred(words, meanOf(words));
  const { axes } = await principalAxes(device, rows, text.width);
  const table = await projected(device, rows, { values: axes, width: words.width });
  for (const id of [bosId, eosId]) {
    table.values.set(normalNumbers(random, text.width, 1), id * text.width);
  }
  return scaledRows(table.values, text.width, text.tokenDeviation);
}

/** P by ridge regression from what the bag gives to the teacher's vectors. */
async function fitProjection(
  bag: TextBag,
  { tokens, targets }: TextData,
  { bag: { ridge: penalty, ridgeTexts } }: ClipPretraining,
): Promise<Float32Array<ArrayBuffer>> {
  const { device } = bag.logitScale;
  const count = Math.min(ridgeTexts, tokens.count);
  const features = await encodeTexts(device, (batch) => bag.features(batch), tokens, count);
  const goals = { values: targets.values.slice(0, count * targets.width), width: targets.width };
  return ridge(device, features, goals, penalty);
}

const tokenTableName = 'text_model.embeddings.token_embedding.weight';
const identities = /^text_model\.encoder\.layers\.0\.self_attn\.(v|out)_proj\.weight$/;

/**
 * How a transformer begins as a bag of words. Layer 0 adds to each token the mean of the LayerNorms of those before it:
 * queries and keys are small, so that attention is nearly even, values and output the identity. The token itself is small
 * beside that, positions are 0, and what the other layers add is a tenth of the usual.
 */
function startOf(name: string, spec: ParameterSpec, { width, layers }: ClipConfig['text']): Start {
  const usual = width ** -0.5;
  const residual = usual * (2 * layers) ** -0.5;
  const isFirst = name.includes('layers.0.');
  if (name.endsWith('position_embedding.weight')) return { value: 0 };
  if (/self_attn\.[qk]_proj\.weight$/.test(name)) return { deviation: isFirst ? 0.2 * usual : usual };
  if (name.endsWith('self_attn.v_proj.weight')) return { deviation: usual };
  if (name.endsWith('self_attn.out_proj.weight')) return { deviation: 0.1 * residual };
  if (name.endsWith('mlp.fc2.weight')) return { deviation: 0.1 * residual };
  return spec.start;
}

/** Rows with deviation `deviation` each, about their own mean. */
function scaledRows(values: Float32Array, width: number, deviation: number): Float32Array<ArrayBuffer> {
  const scaled = Float32Array.from(values);
  for (let first = 0; first < scaled.length; first += width) {
    const row = scaled.subarray(first, first + width);
    const mean = row.reduce((sum, value) => sum + value, 0) / width;
    const spread = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width);
    for (let j = 0; j < width; j++) row[j] = (row[j]! * deviation) / Math.max(spread, 1e-12);
  }
  return scaled;
}

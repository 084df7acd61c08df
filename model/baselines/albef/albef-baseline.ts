// The baseline ALBEF (Li et al. 2021, arXiv:2107.07651), fine-tuned: text and image of a side are encoded and fused, and what is
// compared is z_m . z_e, the mean of the cosines of texts, of images and of what is fused (albef-vectors.ts);
// S = exp(logit_scale) z_m . z_e with the checkpoint's scale. No momentum model, no queue.

import * as v from 'valibot';
import type { PixelSource } from '../../../data/images/pixel-source.ts';
import { albefPreprocessing } from '../../../data/images/preprocess.ts';
import { packPair } from '../../../data/text/wordpiece/packing.ts';
import type { FeatureOptions } from '../../../encoding/features.ts';
import type { Samples } from '../../../encoding/samples.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Side } from '../../../ranking/scorer.ts';
import type { Albef } from '../../albef/albef.ts';
import { rowsOf } from '../../albef/token-rows.ts';
import { type PackedText, packedBatch } from '../../bert/packed-texts.ts';
import { checkLength, dropoutField, lengthField } from '../../bert/text-options.ts';
import { initialise } from '../../initialise.ts';
import {
  type AlbefPart,
  type BaselineParts,
  type EncodingBatch,
  type ParameterGroups,
  parameterGroups,
  type Recipe,
} from '../baseline.ts';
import { DenseBaseline, lossField } from '../dense-baseline.ts';
import { LogitScale } from '../logit-scale.ts';
import { AlbefFusionHead, type AlbefParts, albefParts, encodeSide, vectorWidth } from './albef-vectors.ts';

export const albefSchema = v.strictObject({
  /** What of a side is compared: the contrastive halves, what is fused, or all three. */
  parts: v.optional(v.picklist(albefParts), 'all'),
  textLength: lengthField(64, 4),
  dropout: dropoutField,
  loss: lossField('ce'),
  /** Factor on the learning rate of the projection of what is fused, the only layer that is not pretrained. */
  headRate: v.optional(v.pipe(v.number(), v.gtValue(0)), 1),
});

/** One epoch of warm-up, a cosine down to 1e-6. */
export const albefRecipe: Recipe = {
  learningRate: 1e-5,
  weightDecay: 0.02,
  batchSize: 64,
  epochs: 10,
  schedule: 'cosine',
  warmup: 0.1,
  finalRate: 0.1,
  clipNorm: 1,
};

/** The hinge loss's, where that is asked for. */
const margin = 0.2;

/** Bounds of the learned scale: temperatures from 0.001 to 0.5. */
const bounds = { least: 2, most: 1000 };

export class AlbefBaseline extends DenseBaseline<readonly PackedText[]> {
  readonly groups: ParameterGroups;
  #albef: AlbefPart;
  #head: AlbefFusionHead;
  #parts: AlbefParts;
  #textLength: number;
  #dropout: number;

  /** `albef` wants gradients; what of it has no share in the scores is released. Throws InputError for texts longer than it takes. */
  constructor(
    name: string,
    { device, random }: Pick<BaselineParts, 'device' | 'random'>,
    albef: AlbefPart,
    { parts, textLength, dropout, loss, headRate }: v.InferOutput<typeof albefSchema>,
  ) {
    checkLength('textLength', textLength, albef.config.text);
    const isCosine = loss === 'hinge';
    super(name, device, {
      width: vectorWidth(parts, albef.config.projection),
      logitScale: isCosine ? null : new LogitScale(albef.module.logitScale, bounds),
      margin,
    });
    const head = initialise(device, random, (p) => new AlbefFusionHead(p, albef.config));
    const used = new Map<string, Tensor>();
    for (const [of, tensor] of [...albef.tensors, ...head.tensors]) {
      if (isUsed(of, albef, parts, isCosine)) used.set(of, tensor);
      else tensor.release();
    }
    const rates = new Map([...head.tensors.values()].map((tensor) => [tensor, headRate]));
    this.groups = { ...parameterGroups(used), rates };
    this.#albef = albef;
    this.#head = head.module;
    this.#parts = parts;
    this.#textLength = textLength;
    this.#dropout = dropout;
  }

  override pixelSource({ source }: FeatureOptions): PixelSource {
    return source.seenAs(albefPreprocessing(this.#albef.config.vision.imageSize));
  }

  async trainingInputs(_side: Side, { texts }: Samples): Promise<readonly PackedText[]> {
    return packedPairs(this.#albef, texts, this.#textLength);
  }

  encode(
    _side: Side,
    { inputs, rows, pixels, places, random }: EncodingBatch<readonly PackedText[]>,
  ): Tensor {
    const albef: Albef = this.#albef.module;
    const own = this.device.tensor([places.length], places, { name: 'image places' });
    const images = rowsOf(albef.encodeImage(pixels!), own);
    const texts = packedBatch(rows.map((row) => inputs[row]!));
    const dropped = random && this.#dropout > 0 ? { rate: this.#dropout, random } : undefined;
    return encodeSide(albef, this.#head, texts, images, this.#parts, dropped).vectors;
  }
}

/** Names and contexts as ALBEF reads them: [CLS] name [SEP] context [SEP]. */
export function packedPairs(
  { tokenizer }: Pick<AlbefPart, 'tokenizer'>,
  texts: Samples['texts'],
  length: number,
): PackedText[] {
  const tokens = (text: string) => tokenizer.encode(text);
  return texts.map(({ name, context }) => packPair(tokenizer, tokens(name), tokens(context), length));
}

/** Whether a parameter has a share in the scores. */
function isUsed(
  name: string,
  { config }: Pick<AlbefPart, 'config'>,
  parts: AlbefParts,
  isCosine: boolean,
): boolean {
  if (name.startsWith('itm_head')) return false;
  if (name === 'logit_scale') return !isCosine;
  if (/^(text|vision)_proj\./.test(name)) return parts !== 'joint';
  const layer = /^text_encoder\.encoder\.layer\.(\d+)\./.exec(name)?.[1];
  const isFusion = name.startsWith('fusion_proj') || Number(layer ?? -1) >= config.fusionLayer;
  return !isFusion || parts !== 'itc';
}

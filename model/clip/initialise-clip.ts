// A fresh CLIP: every parameter of Hugging Face's CLIPModel by name, started as its _init_weights does (initializer
// factor 1). `logit_scale`, the logarithm of the inverse temperature of CLIP's own loss, is among them.

import type { Device } from '../../engine/device.ts';
import type { Random } from '../../engine/random.ts';
import type { Shape, Tensor } from '../../engine/tensor.ts';
import { initialise, type ParameterSpec, type Start } from '../initialise.ts';
import type { ClipConfig, TransformerConfig } from './clip.ts';

/** A parameter of CLIP: Hugging Face's name, its shape and how it starts. */
export interface ClipTensor {
  name: string;
  shape: Shape;
  start: Start;
}

type Specs = [string, ParameterSpec][];

/** A fresh CLIP on the device, trainable; the same generator state gives the same numbers. */
export function initialiseClip(device: Device, config: ClipConfig, random: Random): Map<string, Tensor> {
  return initialise(device, new Map(clipTensors(config).map(({ name, ...spec }) => [name, spec])), random);
}

/** All parameters of the CLIP that a configuration describes. */
export function clipTensors({ text, vision, projection }: ClipConfig): ClipTensor[] {
  const [textIn, visionIn] = ['text_model.embeddings', 'vision_model.embeddings'];
  const patches = Math.floor(vision.imageSize / vision.patchSize) ** 2;
  const specs: Specs = [
    ['logit_scale', { shape: [], start: { value: Math.log(1 / 0.07) } }],
    [`${textIn}.token_embedding.weight`, normal([text.vocabulary, text.width], 0.02)],
    [`${textIn}.position_embedding.weight`, normal([text.maxLength, text.width], 0.02)],
    ...blocks('text_model.encoder.layers', text),
    ...norm('text_model.final_layer_norm', text.width),
    ['text_projection.weight', normal([projection, text.width], text.width ** -0.5)],
    [`${visionIn}.class_embedding`, normal([vision.width], vision.width ** -0.5)],
    [
      `${visionIn}.patch_embedding.weight`,
      normal([vision.width, 3, vision.patchSize, vision.patchSize], 0.02),
    ],
    [`${visionIn}.position_embedding.weight`, normal([patches + 1, vision.width], 0.02)],
    ...norm('vision_model.pre_layrnorm', vision.width),
    ...blocks('vision_model.encoder.layers', vision),
    ...norm('vision_model.post_layernorm', vision.width),
    ['visual_projection.weight', normal([projection, vision.width], vision.width ** -0.5)],
  ];
  return specs.map(([name, spec]) => ({ name, ...spec }));
}

function blocks(prefix: string, config: TransformerConfig): Specs {
  return Array.from({ length: config.layers }, (_, i) => block(`${prefix}.${i}`, config)).flat();
}

function block(name: string, { width, hidden, layers }: TransformerConfig): Specs {
  // What is added to the residual stream shrinks with its depth.
  const residual = width ** -0.5 * (2 * layers) ** -0.5;
  return [
    ...norm(`${name}.layer_norm1`, width),
    ...['q_proj', 'k_proj', 'v_proj'].flatMap((layer) =>
      linear(`${name}.self_attn.${layer}`, width, width, residual),
    ),
    ...linear(`${name}.self_attn.out_proj`, width, width, width ** -0.5),
    ...norm(`${name}.layer_norm2`, width),
    ...linear(`${name}.mlp.fc1`, width, hidden, (2 * width) ** -0.5),
    ...linear(`${name}.mlp.fc2`, hidden, width, residual),
  ];
}

function linear(name: string, inputs: number, outputs: number, deviation: number): Specs {
  return [
    [`${name}.weight`, normal([outputs, inputs], deviation)],
    [`${name}.bias`, constant(outputs, 0)],
  ];
}

function norm(name: string, width: number): Specs {
  return [
    [`${name}.weight`, constant(width, 1)],
    [`${name}.bias`, constant(width, 0)],
  ];
}

function normal(shape: number[], deviation: number): ParameterSpec {
  return { shape, start: { deviation } satisfies Start };
}

function constant(width: number, value: number): ParameterSpec {
  return { shape: [width], start: { value } satisfies Start };
}

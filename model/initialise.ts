// Fresh trainable parameters: their names, shapes and how each starts. CLIP's own are in initialise-clip.ts.

import type { Device } from '../engine/device.ts';
import { normal, uniform } from '../engine/kernels/random.ts';
import { affine } from '../engine/ops/elementwise.ts';
import type { Random } from '../engine/random.ts';
import { type Shape, sizeOf, type Tensor } from '../engine/tensor.ts';
import type { ExpertConfig, ExpertKind } from './dsmip/experts.ts';
import type { GateConfig } from './dsmip/gate.ts';

/** A value everywhere, normal numbers of mean 0, or uniform ones between -bound and bound. */
export type Start = { value: number } | { deviation: number } | { bound: number };

export interface ParameterSpec {
  shape: Shape;
  start: Start;
}

/**
 * How prompts start: as small as MaPLe's (Khattak et al. 2023), or next to nothing, with couplings to match. LayerNorm
 * makes any small vector a full-sized one unless it is far below the root of its epsilon, so that random prompts pull
 * at every token from the first step on; neutral ones only thin out its attention. An addition of ours.
 */
export const promptStarts = ['random', 'neutral'] as const;
export type PromptStart = (typeof promptStarts)[number];

/** Parameters by name, in the order in which they are drawn. */
export type ParameterSpecs = ReadonlyMap<string, ParameterSpec>;

/** How many numbers they hold. */
export function countParameters(specs: ParameterSpecs): number {
  let count = 0;
  for (const { shape } of specs.values()) count += sizeOf(shape);
  return count;
}

/** Makes them on the device, trainable; the same generator state gives the same numbers. */
export function initialise(device: Device, specs: ParameterSpecs, random: Random): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape, start }] of specs) {
    const tensor = device.scope(() => begin(device, shape, start, random));
    tensor.name = name;
    tensor.requiresGrad = true;
    tensors.set(name, tensor);
  }
  return tensors;
}

/**
 * What stage 1 trains of an expert while CLIP is frozen: its scoring units and, for the multimodal one, prompts
 * and coupling of both sides.
 */
export function expertSpecs(
  kind: ExpertKind,
  config: ExpertConfig,
  promptStart: PromptStart = 'random',
): ParameterSpecs {
  const prompts = kind === 'multimodal' ? promptSpecs(config, promptStart) : [];
  return new Map([...scoringSpecs(kind, config), ...prompts]);
}

/** The scoring units of an expert, and the layers in front of them. */
export function scoringSpecs(kind: ExpertKind, { clip, hidden: h }: ExpertConfig): ParameterSpecs {
  const { projection: z, text, vision } = clip;
  const [hasText, hasImage] = [kind !== 'visual', kind !== 'text'];
  return new Map([
    ...(hasText ? [...norm('text_cls_norm', z), ...norm('text_token_norm', text.width)] : []),
    ...(hasImage ? [...linear('image_cls', z, h), ...norm('image_cls_norm', h)] : []),
    ...(hasImage ? [...linear('image_tokens', vision.width, h), ...norm('image_token_norm', h)] : []),
    ...(hasText ? textUnit('text_unit', text.width, z, h) : []),
    ...(hasImage ? dual('vision_unit.entity_to_mention', h) : []),
    ...(hasImage ? dual('vision_unit.mention_to_entity', h) : []),
    ...(hasText && hasImage ? crossModalUnit('cross_modal_unit', z, h) : []),
  ]);
}

/** Prompts and the coupling function of each depth and side. */
export function promptSpecs(
  { clip, prompts }: ExpertConfig,
  promptStart: PromptStart = 'random',
): ParameterSpecs {
  const [textWidth, visionWidth] = [clip.text.width, clip.vision.width];
  const isNeutral = promptStart === 'neutral';
  const start = { deviation: isNeutral ? 1e-4 : 0.02 };
  const depths = Array.from({ length: prompts.depth }, (_, j) => j);
  return new Map(
    (['mention', 'entity'] as const).flatMap((side) =>
      depths.flatMap((j): [string, ParameterSpec][] => [
        [`prompts.${side}.${j}`, { shape: [prompts.length, textWidth], start }],
        ...linear(`coupling.${side}.${j}`, textWidth, visionWidth),
        ...(isNeutral ? [zeroBias(`coupling.${side}.${j}`, visionWidth)] : []),
      ]),
    ),
  );
}

/** The gate on features of `width`; its last bias starts at 1, so that ReLU lets every expert through. */
export function gateSpecs({ hidden: g, experts: B }: GateConfig, width: number): ParameterSpecs {
  return new Map([
    ...(['mention', 'entity'] as const).flatMap((side) => [
      ...linear(`gate.${side}.0`, width, g),
      ...linear(`gate.${side}.1`, g, g),
    ]),
    ...linear('gate.out', 2 * g, B),
    ['gate.out.bias', { shape: [B], start: { value: 1 } }],
  ]);
}

function textUnit(name: string, textWidth: number, z: number, h: number): [string, ParameterSpec][] {
  return [
    ...['query', 'key', 'value'].flatMap((layer) => linear(`${name}.${layer}`, textWidth, h)),
    ...linear(`${name}.cls`, z, h),
    ...norm(`${name}.context_norm`, h),
  ];
}

function dual(name: string, h: number): [string, ParameterSpec][] {
  return [
    ...['cls', 'tokens', 'fc'].flatMap((layer) => linear(`${name}.${layer}`, h, h)),
    ...linear(`${name}.gate`, h, 1),
    ...norm(`${name}.add_norm`, h),
    ...norm(`${name}.norm`, h),
  ];
}

function crossModalUnit(name: string, z: number, h: number): [string, ParameterSpec][] {
  return [
    ...linear(`${name}.text`, z, h),
    ...linear(`${name}.image`, h, h),
    ...linear(`${name}.gate`, h, 1),
    ...norm(`${name}.norm`, h),
  ];
}

/** A linear layer as PyTorch starts it: uniform within 1 / sqrt(inputs), bias and all. */
function linear(name: string, inputs: number, outputs: number): [string, ParameterSpec][] {
  const start = { bound: inputs ** -0.5 };
  return [
    [`${name}.weight`, { shape: [outputs, inputs], start }],
    [`${name}.bias`, { shape: [outputs], start }],
  ];
}

function zeroBias(name: string, width: number): [string, ParameterSpec] {
  return [`${name}.bias`, { shape: [width], start: { value: 0 } }];
}

function norm(name: string, width: number): [string, ParameterSpec][] {
  return [
    [`${name}.weight`, { shape: [width], start: { value: 1 } }],
    [`${name}.bias`, { shape: [width], start: { value: 0 } }],
  ];
}

function begin(device: Device, shape: Shape, start: Start, random: Random): Tensor {
  if ('value' in start) return affine(device.zeros(shape), 1, start.value);
  if ('deviation' in start) return normal(device, shape, random, start.deviation);
  return affine(uniform(device, shape, random), 2 * start.bound, -start.bound);
}

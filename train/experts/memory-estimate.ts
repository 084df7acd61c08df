// How much device memory a step of stage 1 takes, known beforehand: the step runs dry on a device that only keeps
// the books (engine/device/dry-run.ts). So the estimate follows the model and the ops by itself. Weights are not needed,
// nor is data. What it leaves out: the driver's own memory, and evaluation between the epochs.

import { totalmem } from 'node:os';
import { backward } from '../../engine/autograd.ts';
import { dryRunOf } from '../../engine/device/dry-run.ts';
import type { Device } from '../../engine/device.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import { expertShape } from '../../link/trained-shapes.ts';
import { Clip, type ClipConfig, type TextBatch } from '../../model/clip/clip.ts';
import { Expert } from '../../model/dsmip/expert-model.ts';
import { type ExpertConfig, type ExpertKind, usesOf } from '../../model/dsmip/experts.ts';
import { build } from '../../model/parameter-source.ts';
import type { SideBatch, StepBatch } from '../batch-inputs.ts';
import { ConfigError } from '../config/check.ts';
import type { ExpertTraining } from '../config/schemas.ts';
import { encodeApart } from './encode-in-chunks.ts';
import { encodingsOf, lossGradients, lossOfEncodings } from './expert-step.ts';

const mostHalvings = 5;

/** A training as far as its memory goes. */
export interface StepPlan {
  kind: ExpertKind;
  config: ExpertConfig;
  /** Whether CLIP is trained as well. */
  finetune: boolean;
  /** Samples of a batch, by side; every one with an image of its own. */
  samples: { mention: number; entity: number };
  /** Tokens of the longest text, by side. */
  tokens: { mention: number; entity: number };
  /** Groups that a side's texts are encoded in. */
  groups: number;
}

/** What a step takes of a device, in bytes. */
interface StepMemory {
  /** Live tensors at the step's peak, weights and optimiser included. */
  peak: number;
  /** Buffers after the step: live ones and such as wait to be used again. What the driver is asked for. */
  reserved: number;
}

/** A chunk (texts or images to encode at a time, 0 for the whole batch) and what a step with it takes. */
export interface Choice {
  chunk: number;
  memory: StepMemory;
}

/** What is known of the steps' memory beforehand, for batches of so many mentions and hard negatives. */
export function stepPlan(
  expert: ExpertTraining['expert'],
  clip: ClipConfig,
  mentions: number,
  { hardNegatives, textGroups }: Pick<ExpertTraining['training'], 'hardNegatives' | 'textGroups'>,
  tokens: StepPlan['tokens'],
): StepPlan {
  return {
    kind: expert.kind,
    config: { ...expertShape(expert), clip },
    finetune: expert.finetuneEncoder,
    samples: { mention: mentions, entity: mentions * (1 + hardNegatives) },
    tokens,
    groups: textGroups,
  };
}

/** A step with this chunk, run dry. `device` decides on kernels; nothing is made on it. */
export async function choiceOf(device: Device, plan: StepPlan, chunk: number): Promise<Choice> {
  const { idle, expert, adam, batch } = await dryRun(device, plan);
  idle.trim();
  idle.resetPeak();
  idle.scope(() => adam.step(lossGradients(expert, batch, { chunk, groups: plan.groups }).gradients));
  const { peakBytes: peak, reservedBytes: reserved } = idle.counters;
  return { chunk, memory: { peak, reserved } };
}

/**
 * The whole batch if a step of it fits into `limit` bytes, else the largest of a few chunks that does. Throws ConfigError
 * when none does.
 */
export async function chooseChunk(device: Device, plan: StepPlan, limit: number): Promise<Choice> {
  let least = Number.POSITIVE_INFINITY;
  for (const chunk of chunksOf(plan)) {
    const choice = await choiceOf(device, plan, chunk);
    if (choice.memory.reserved <= limit) return choice;
    least = Math.min(least, choice.memory.reserved);
  }
  const [batch, memory] = ['training.batchSize', 'training.memoryGB'] as const;
  throw new ConfigError(
    [batch, memory],
    `a step takes ${sizeText(least)} of device memory at the least, there are ${sizeText(limit)}: expected a smaller ` +
      `${batch}, or a ${memory} that says there is more`,
  );
}

/** Bytes that a training may take of a device unless told otherwise: WebGPU does not say how much there is. */
export function usualMemory(device: Device): number {
  return device.isCpu ? 0.75 * totalmem() : 8e9;
}

/** Lines on what a step is made of, and where encoders are trained what it takes by chunk. */
export async function memoryLines(device: Device, plan: StepPlan): Promise<string[]> {
  const { weights, optimiser, features, scoring, isFrozen, activationsOf } = await partsOf(device, plan);
  const { samples, tokens, kind } = plan;
  const line = (cells: readonly (string | number)[]) =>
    cells.map((cell, i) => `${cell}`[i === 0 ? 'padEnd' : 'padStart'](i === 0 ? 28 : 13)).join('');
  const lines = [
    `${kind} expert, ${samples.mention} mentions of up to ${tokens.mention} tokens and ${samples.entity} entities ` +
      `of up to ${tokens.entity}`,
    line(['weights', sizeText(weights)]),
    line(["Adam's moments", sizeText(optimiser)]),
    line(isFrozen ? ['features', sizeText(features)] : ['features and gradients', sizeText(2 * features)]),
    line(['scores and gradients', sizeText(scoring)]),
  ];
  // Frozen encoders have made their features before the first step.
  if (isFrozen) return [...lines, line(['all of it', sizeText(weights + optimiser + features + scoring)])];
  lines.push(line(['encoded at a time', 'activations', 'peak', 'buffers']));
  for (const chunk of chunksOf(plan)) {
    const { peak, reserved } = (await choiceOf(device, plan, chunk)).memory;
    const name = chunk === 0 ? '  the whole batch' : `  ${chunk} texts or images`;
    lines.push(line([name, sizeText(activationsOf(chunk)), sizeText(peak), sizeText(reserved)]));
  }
  return lines;
}

/** A number of bytes in words. */
export function sizeText(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** A training before its first step, on a device that only keeps the books. */
async function dryRun(device: Device, plan: StepPlan) {
  const { kind, config, finetune } = plan;
  const idle = await dryRunOf(device);
  const empty = build(
    (name, { shape }) => {
      const tensor = idle.empty(shape, 'f32', name);
      tensor.requiresGrad = finetune;
      return tensor;
    },
    (p) => new Clip(p, config.clip),
  );
  const clip = { ...empty, config: config.clip, eosId: 0, folder: '' };
  const expert = new Expert(idle, kind, clip, config, new Random(0));
  const weights = idle.counters.liveBytes;
  const adam = new Adam([...expert.trained.values()], { lr: 0 });
  const optimiser = idle.counters.liveBytes - weights;
  return { idle, expert, adam, batch: emptyBatch(plan), weights, optimiser };
}

/** The parts of a step, in bytes. */
async function partsOf(device: Device, plan: StepPlan) {
  const { idle, expert, batch, weights, optimiser } = await dryRun(device, plan);
  const encodings = encodingsOf(expert, batch);
  const live = () => idle.counters.liveBytes;
  const start = live();
  const { features, scoring } = idle.scope(() => {
    const all = encodings.map((encoding) => encodeApart(idle, encoding, 1));
    const features = live() - start;
    idle.resetPeak();
    backward(lossOfEncodings(expert, batch, encodings, all));
    // The gradients of the features are counted with these.
    return { features, scoring: idle.counters.peakBytes - start - 2 * features };
  });
  /** What the encoders keep for the backward: of all at once, or of the chunk that takes most. */
  const activationsOf = (chunk: number) => {
    const sizes = encodings.map(({ count, encode }) =>
      idle.scope(() => {
        const before = live();
        encode(0, chunk === 0 ? count : Math.min(chunk, count));
        return live() - before;
      }),
    );
    return chunk === 0 ? sizes.reduce((a, b) => a + b) : Math.max(...sizes);
  };
  return { weights, optimiser, features, scoring, isFrozen: expert.isFrozen, activationsOf };
}

/** Chunks worth a try: the whole batch, then smaller and smaller ones, until features and scores are what counts. */
function chunksOf({ samples }: StepPlan): number[] {
  const most = Math.max(samples.mention, samples.entity);
  const powers = Array.from({ length: Math.ceil(Math.log2(most)) }, (_, i) => 2 ** i);
  return [0, ...powers.reverse().slice(0, mostHalvings)];
}

function emptyBatch({ kind, config, samples, tokens }: StepPlan): StepBatch {
  const side = (name: 'mention' | 'entity'): SideBatch => ({
    texts: emptyTexts(samples[name], tokens[name]),
    pixels: usesOf(kind).image
      ? new Float32Array(samples[name] * 3 * config.clip.vision.imageSize ** 2)
      : null,
    places: Int32Array.from({ length: samples[name] }, (_, i) => i),
  });
  return {
    mention: side('mention'),
    entity: side('entity'),
    entities: Int32Array.from({ length: samples.entity }, (_, i) => i),
  };
}

function emptyTexts(count: number, length: number): TextBatch {
  return {
    // Each another, or they would be encoded once.
    ids: Int32Array.from({ length: count * length }, (_, i) => Math.floor(i / length)),
    mask: new Int32Array(count * length).fill(1),
    count,
    length,
  };
}

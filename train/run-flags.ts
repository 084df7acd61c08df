// The flags of both training stages; their defaults are the preset's.

import { UsageError } from '../files/errors.ts';
import type { Settings } from '../model/checkpoint.ts';
import { type ExpertConfig, type ExpertKind, expertKinds } from '../model/dsmip/experts.ts';
import { promptStarts } from '../model/dsmip/prompts.ts';
import { count, on, oneOf, real, text } from './flags.ts';
import type { Preset, PresetName } from './presets.ts';
import { presetNames } from './presets.ts';

/** Of everything that works on a run. */
export function commonFlags(name: PresetName, preset: Preset) {
  return {
    preset: oneOf(presetNames, name, 'whose choices are the defaults of all other flags'),
    data: text(preset.data, 'folder of the data set'),
    clip: text(preset.clip, "folder of the CLIP, in Hugging Face's layout"),
    run: text('runs/default', 'folder of the results'),
    cache: text('.cache/features', "folder of frozen encoders' features; '' keeps none"),
    profile: on('print where the time went, by kernel'),
  };
}

/** Of stage 1. */
export function expertFlags(name: PresetName, preset: Preset) {
  return {
    ...commonFlags(name, preset),
    expert: oneOf(expertKinds, 'multimodal' as ExpertKind, 'which one to train'),
    seed: count(1, 'of weights and batches'),
    epochs: count(0, "0: the preset's, by expert"),
    batch: count(preset.batch, 'mentions a batch', 2),
    lr: real(preset.lr, "Adam's learning rate"),
    schedule: oneOf(['constant', 'cosine'], preset.schedule, 'of the learning rate'),
    hidden: count(preset.hidden, 'width of the scoring units', 1),
    'prompt-length': count(preset.promptLength, 'prompts a layer', 1),
    'prompt-depth': count(preset.promptDepth, 'layers with prompts of their own'),
    'prompt-start': oneOf(
      promptStarts,
      preset.promptStart,
      'small random prompts, or none to speak of, which begin without a direction',
    ),
    'no-prompts': on('the multimodal expert without prompts'),
    'finetune-encoder': on('train all of CLIP as well, without prompts'),
    'train-fraction': real(1, 'part of the training mentions to use, from 0 to 1'),
    'hold-out': real(0, 'part of them to leave to stage 2, below 1'),
    'hard-negatives': count(
      preset.hardNegatives,
      "entities like each mention's own, by CLIP, joined to its batch",
    ),
    'encode-chunk': text(
      'auto',
      'texts or images that a trained encoder takes at a time, twice each, so that a large batch fits into memory; ' +
        '0: the whole batch at once; auto: that where it fits, else as many as do',
    ),
    memory: real(0, 'GB of device memory to get by with; 0: 3/4 of the memory on a CPU adapter, 8 on a GPU'),
    resume: on('go on from the last epoch that was finished'),
    'print-parameters': on('count the trainable parameters and stop'),
    'print-memory': on('estimate the device memory that a step takes and stop'),
  };
}

/** Of stage 2. */
export function gateFlags(name: PresetName, preset: Preset) {
  const { gate } = preset;
  return {
    ...commonFlags(name, preset),
    experts: text(preset.experts.join(','), 'to choose among, separated by commas'),
    seed: count(1, 'of weights, batches, dropout and noise'),
    epochs: count(gate.epochs, 'through the training mentions', 1),
    batch: count(preset.batch, 'mentions a batch', 2),
    lr: real(gate.lr, "of the gate: Adam's learning rate"),
    'unit-lr': real(gate.unitLr, 'of the scoring units'),
    schedule: oneOf(['constant', 'cosine'], preset.schedule, 'of the learning rates'),
    dropout: real(gate.dropout, 'in the gate, below 1'),
    tau: real(gate.tau, "temperature of the choice's gradient"),
    'gate-hidden': count(gate.hidden, "width of the gate's layers", 1),
    'gate-image': oneOf(
      ['clip', 'vgg'],
      gate.image,
      "the gate's image feature: CLIP's mean token or VGG16's fc7",
    ),
    vgg: text('weights/vgg16.safetensors', "VGG16's weights with torchvision's names, for --gate-image vgg"),
    'gate-by': oneOf(['pair', 'mention'], 'pair' as 'pair' | 'mention', 'what an expert is chosen for'),
    calibrate: on(
      "train a scale and an offset of each expert's scores, from equal means and deviations on",
      gate.calibrate,
    ),
    'hard-negatives': count(
      gate.hardNegatives,
      'entities that an expert ranks high for each mention, joined to its batch',
    ),
    'train-fraction': real(1, 'part of the training mentions to use, from 0 to 1'),
    'hold-out': real(0, 'part of them that stage 1 was told to leave out: train on those only; 0: on all'),
    resume: on('go on from the last epoch that was finished'),
  };
}

/** What `parseFlags` makes of flags. */
type ValuesOf<F> = {
  [K in keyof F]: F[K] extends { value: infer T } ? T : never;
};
export type CommonOptions = ValuesOf<ReturnType<typeof commonFlags>>;
export type GateOptions = ValuesOf<ReturnType<typeof gateFlags>>;
export type ExpertOptions = ValuesOf<ReturnType<typeof expertFlags>>;

/** Width and prompts of the expert that the flags describe. */
export function shapeOf(options: ExpertOptions): Omit<ExpertConfig, 'clip'> {
  const isPlain = options['no-prompts'] || options['finetune-encoder'];
  return {
    hidden: options.hidden,
    prompts: { length: options['prompt-length'], depth: isPlain ? 0 : options['prompt-depth'] },
  };
}

/** What --encode-chunk says. Throws UsageError. */
export function encodeChunkOf({ 'encode-chunk': text }: ExpertOptions): number | 'auto' {
  if (text === 'auto') return text;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`--encode-chunk ${text}: expected auto or an integer of at least 0`);
}

/** Flags that do not change what a training gives. */
const incidental = new Set([
  'run',
  'cache',
  'profile',
  'resume',
  'print-parameters',
  'print-memory',
  'memory',
  'preset',
  'data',
  'clip',
]);

/** What decides the result of a run, besides the files: what checkpoints are compared by. */
export function settingsOf(options: Readonly<Record<string, string | number | boolean>>): Settings {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !incidental.has(name)));
}

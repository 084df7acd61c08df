// What the paper chose for its three data sets, and what suits the embedded default (measured in PyTorch, on dev). The
// flags of the training scripts take their defaults from here. Additions of ours are off in the paper's presets.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { UsageError } from '../files/errors.ts';
import type { ExpertKind } from '../model/dsmip/experts.ts';
import type { PromptStart } from '../model/dsmip/prompts.ts';

export interface Preset {
  /** Folder of the data set. */
  data: string;
  /** Folder of the CLIP. */
  clip: string;
  /** The gate's experts, in the order of its choices. */
  experts: readonly ExpertKind[];
  /** h, the width of the scoring units. */
  hidden: number;
  /** r, prompts a layer. */
  promptLength: number;
  /** J, layers with prompts of their own. */
  promptDepth: number;
  batch: number;
  /** Adam's learning rate in stage 1. */
  lr: number;
  schedule: 'constant' | 'cosine';
  /** Entities like a mention's own that are joined to its batch in stage 1. */
  hardNegatives: number;
  promptStart: PromptStart;
  /** Epochs of stage 1. */
  epochs: Readonly<Record<ExpertKind, number>>;
  gate: {
    hidden: number;
    dropout: number;
    tau: number;
    epochs: number;
    lr: number;
    /** Of the scoring units in stage 2. */
    unitLr: number;
    image: 'clip' | 'vgg';
    hardNegatives: number;
    calibrate: boolean;
  };
}

export const presetNames = ['openconcepts', 'wikimel', 'richpediamel', 'wikidiverse'] as const;
export type PresetName = (typeof presetNames)[number];

const root = fileURLToPath(new URL('..', import.meta.url));

/** "Implementation Details" of the paper; what it leaves open (stage 2's rates) is as in stage 1. */
const paper = {
  clip: `${root}weights/clip-vit-base-patch32`,
  hidden: 96,
  promptLength: 2,
  promptDepth: 9,
  batch: 128,
  lr: 5e-4,
  schedule: 'constant',
  hardNegatives: 0,
  promptStart: 'random',
  epochs: { text: 20, visual: 20, multimodal: 20 },
  gate: {
    hidden: 512,
    dropout: 0.1,
    tau: 0.1,
    epochs: 20,
    lr: 5e-4,
    unitLr: 5e-4,
    image: 'vgg',
    hardNegatives: 0,
    calibrate: false,
  },
} as const;

export const presets: Readonly<Record<PresetName, Preset>> = {
  openconcepts: {
    data: `${root}data/openconcepts`,
    clip: `${root}weights/tiny-clip`,
    // As where the paper leaves the visual expert out: it is far behind the others.
    experts: ['text', 'multimodal'],
    hidden: 32,
    promptLength: 2,
    promptDepth: 2,
    batch: 32,
    lr: 5e-4,
    schedule: 'cosine',
    hardNegatives: 2,
    promptStart: 'neutral',
    epochs: { text: 3, visual: 6, multimodal: 3 },
    gate: {
      hidden: 64,
      dropout: 0.1,
      tau: 1,
      epochs: 2,
      lr: 2e-3,
      unitLr: 5e-4,
      image: 'clip',
      hardNegatives: 4,
      calibrate: true,
    },
  },
  wikimel: { ...paper, data: `${root}data/wikimel`, experts: ['text', 'visual', 'multimodal'] },
  richpediamel: { ...paper, data: `${root}data/richpediamel`, experts: ['text', 'multimodal'] },
  wikidiverse: { ...paper, data: `${root}data/wikidiverse`, experts: ['text', 'multimodal'] },
};

/** The preset that the arguments ask for, before the other flags, whose defaults it sets. Throws UsageError. */
export function presetOf(args: string[]): { name: PresetName; preset: Preset } {
  const { values } = parseArgs({ args, strict: false, options: { preset: { type: 'string' } } });
  const asked = values.preset ?? 'openconcepts';
  const name = presetNames.find((known) => known === asked);
  if (!name) throw new UsageError(`--preset ${asked}: expected one of ${presetNames.join(', ')}`);
  return { name, preset: presets[name] };
}

// An expert of a few thousand weights, and the plan of a step of it.

import type { Device } from '../../engine/device.ts';
import { Random } from '../../engine/random.ts';
import { Clip } from '../../model/clip/clip.ts';
import { Expert } from '../../model/dsmip/expert-model.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { initialise } from '../../model/initialise.ts';
import type { StepPlan } from '../../train/experts/memory-estimate.ts';

const smallest = {
  text: { width: 8, hidden: 16, heads: 2, layers: 3, vocabulary: 20, maxLength: 12 },
  vision: { width: 12, hidden: 24, heads: 3, layers: 3, imageSize: 8, patchSize: 4 },
  projection: 6,
};

/** Prompts on two of three layers where CLIP is frozen, none where it is trained. */
export function smallPlan(kind: ExpertKind, finetune: boolean, clip = smallest): StepPlan {
  const prompts = { length: 2, depth: finetune || kind !== 'multimodal' ? 0 : 2 };
  return {
    kind,
    config: { clip, hidden: 4, prompts },
    finetune,
    samples: { mention: 5, entity: 7 },
    tokens: { mention: 9, entity: 12 },
    groups: 1,
  };
}

export function smallExpert({ kind, config, finetune }: StepPlan, device: Device): Expert {
  const fresh = initialise(device, new Random(4), (p) => new Clip(p, config.clip));
  for (const tensor of fresh.tensors.values()) tensor.requiresGrad = finetune;
  const clip = { ...fresh, config: config.clip, eosId: 19, folder: '' };
  return new Expert(device, kind, clip, config, new Random(5));
}

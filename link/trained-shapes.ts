// The shapes of trained experts and gates, as the configurations in their checkpoints give them.

import * as v from 'valibot';
import { parseBySchema } from '../files/json/schema.ts';
import type { DsmipShape } from '../model/dsmip/dsmip-model.ts';
import { allExpertKinds, type ExpertConfig, type ExpertKind } from '../model/dsmip/experts.ts';
import { choicesBy, type GateForm, gateForms } from '../model/dsmip/gating/gate-forms.ts';

const count = (least: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(least));

/** Of an expert's configuration what shapes it. */
const expertSection = v.object({
  hidden: count(1),
  prompts: v.object({ use: v.boolean(), length: count(1), depth: count(0) }),
  finetuneEncoder: v.boolean(),
});
type ExpertSection = v.InferOutput<typeof expertSection>;

const gateSection = v.object({
  experts: v.array(v.picklist(allExpertKinds)),
  hidden: count(1),
  form: v.optional(v.picklist(gateForms), 'choice'),
  by: v.picklist(choicesBy),
  image: v.picklist(['clip', 'vgg']),
  vgg: v.string(),
  calibrate: v.boolean(),
});

/** An expert's shape; one that trains all of CLIP has no prompts. */
export function expertShape({ hidden, prompts, finetuneEncoder }: ExpertSection): Omit<ExpertConfig, 'clip'> {
  const hasPrompts = prompts.use && !finetuneEncoder;
  return { hidden, prompts: { length: prompts.length, depth: hasPrompts ? prompts.depth : 0 } };
}

/** The shape of the expert in a checkpoint, and whether it has a CLIP of its own. Throws InputError. */
export function trainedExpertShape(path: string, config: object) {
  const { expert } = parseBySchema(`${path}: config`, v.object({ expert: expertSection }), config);
  return { shape: expertShape(expert), hasOwnClip: expert.finetuneEncoder };
}

/** The shape of the gate in a checkpoint, and the experts that it chooses among. Throws InputError. */
export function trainedGateShape(
  path: string,
  config: object,
): { shape: DsmipShape; form: GateForm; experts: readonly ExpertKind[] } {
  const { gate } = parseBySchema(`${path}: config`, v.object({ gate: gateSection }), config);
  const { experts, form, ...shape } = gate;
  return { shape, form, experts };
}

// A trained run without the training: a CLIP with small encoders and experts and a gate of the paper's size, all with
// random weights. What scoring costs does not depend on what weights are, nor on the encoders, which run once an entity.

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Device } from '../../engine/device.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { originOf, type Session } from '../../link/session.ts';
import { expertsFingerprint } from '../../link/trained.ts';
import { saveParameters } from '../../model/checkpoint.ts';
import { Clip, type ClipConfig } from '../../model/clip/clip.ts';
import { saveClip } from '../../model/clip/save-clip.ts';
import { Dsmip, gateTrainingInputs } from '../../model/dsmip/dsmip-model.ts';
import { Expert } from '../../model/dsmip/expert-model.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { statisticsTensors } from '../../model/dsmip/gating/gate-inputs.ts';
import { initialise } from '../../model/initialise.ts';
import { normal } from '../../tests/support/random.ts';

/** The paper's: width of the scoring units, of the gate, and of CLIP's common space. */
const [h, gateWidth, projection] = [96, 512, 512];
const stack = { width: 64, hidden: 256, heads: 2, layers: 1 };
const prompts = { length: 2, depth: 1 };

/**
 * Writes a CLIP with one layer of width 64 a side into `folder`, with CLIP's own vocabulary from a folder that has its
 * vocab.json and merges.txt. Texts are cut to `maxLength` tokens.
 */
export async function makeRandomClip(
  device: Device,
  folder: string,
  vocabulary: string,
  maxLength: number,
): Promise<void> {
  const vocab = JSON.parse(await readFile(join(vocabulary, 'vocab.json'), 'utf8')) as Record<string, number>;
  const config: ClipConfig = {
    text: { ...stack, vocabulary: Object.keys(vocab).length, maxLength },
    vision: { ...stack, imageSize: 64, patchSize: 32 },
    projection,
  };
  const { tensors } = initialise(device, new Random(1), (p) => new Clip(p, config));
  await saveClip(folder, config, tensors, {
    vocab,
    merges: await readFile(join(vocabulary, 'merges.txt'), 'utf8'),
    bosId: vocab['<|startoftext|>']!,
    eosId: vocab['<|endoftext|>']!,
  });
}

/** Writes best.safetensors of each expert and of a gate for pairs into a run's folder. */
export async function makeRandomRun(
  session: Session,
  folder: string,
  kinds: readonly ExpertKind[],
): Promise<void> {
  const { device, clip } = session;
  const experts: Expert[] = [];
  for (const [i, kind] of kinds.entries()) {
    const expert = new Expert(device, kind, clip, { hidden: h, prompts }, new Random(10 + i));
    await shake(device, expert.trained, 100 * (i + 1));
    const config = {
      expert: { kind, hidden: h, prompts: { use: true, ...prompts }, finetuneEncoder: false },
    };
    await mkdir(join(folder, kind), { recursive: true });
    const file = join(folder, kind, 'best.safetensors');
    await saveParameters(file, { config, madeFrom: await originOf(session), parameters: expert.trained }, {});
    experts.push(expert);
  }
  const shape = {
    hidden: gateWidth,
    by: 'pair',
    image: 'clip',
    vgg: '',
    calibrate: true,
  } as const;
  const { statistics } = await gateTrainingInputs(session, shape);
  const dsmip = new Dsmip(session, experts, shape, statistics, new Random(20));
  await shake(device, dsmip.gate, 1000);
  await mkdir(join(folder, 'gate'), { recursive: true });
  const gate = { ...shape, experts: kinds };
  const parameters = new Map([...dsmip.units, ...dsmip.gate]);
  const file = join(folder, 'gate', 'best.safetensors');
  const madeFrom = { ...(await originOf(session)), expertFiles: await expertsFingerprint(folder, kinds) };
  const constants = statisticsTensors(statistics);
  await saveParameters(file, { config: { gate }, madeFrom, parameters, constants }, {});
}

/** Adds noise, so that no LayerNorm is left with weights of 1 and biases of 0, which would hide mistakes. */
async function shake(device: Device, tensors: ReadonlyMap<string, Tensor>, seed: number): Promise<void> {
  let next = seed;
  for (const tensor of tensors.values()) {
    const noise = normal(tensor.size, next++);
    const values = await device.read<'f32'>(tensor);
    device.write(
      tensor,
      values.map((x, i) => x + 0.05 * noise[i]!),
    );
  }
}

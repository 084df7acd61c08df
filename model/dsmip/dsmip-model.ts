// DSMIP at work: the experts that stage 1 left, their encoders and prompts frozen, and the gate that chooses among them.

import { join } from 'node:path';
import type { Split } from '../../data/dataset.ts';
import type { FeatureOptions } from '../../encoding/features.ts';
import type { Samples } from '../../encoding/samples.ts';
import { noGrad } from '../../engine/autograd.ts';
import { broadcastTo } from '../../engine/ops/shape.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { UsageError, WeightsError } from '../../files/errors.ts';
import type { Session } from '../../link/session.ts';
import type { Batch } from '../../train/batches.ts';
import { loadParameters, readAbout } from '../checkpoint.ts';
import { loadClip } from '../clip/load-clip.ts';
import { initialise } from '../initialise.ts';
import { Calibration } from './dsmip.ts';
import { Expert, type Side, type SideTables } from './expert-model.ts';
import { type ExpertKind, expertKinds } from './experts.ts';
import { Gate, type GateDropout } from './gate.ts';
import { type GateFeatures, gateInputs } from './gate-inputs.ts';

/** What shapes a gate, by its flags' names. */
export interface DsmipShape {
  'gate-hidden': number;
  'gate-by': 'pair' | 'mention';
  'gate-image': 'clip' | 'vgg';
  vgg: string;
  calibrate: boolean;
}

/** Rows of a side and the image taken of each. */
export interface Rows {
  rows: readonly number[];
  images: readonly number[];
}

/**
 * The experts of a run's folder at their best epochs. Throws WeightsError for a file that is missing, damaged, or made
 * of another data set or CLIP, UsageError for an expert that does not exist.
 */
export async function pretrained(
  session: Session,
  folder: string,
  kinds: readonly string[],
): Promise<Expert[]> {
  const experts: Expert[] = [];
  for (const name of kinds) {
    const kind = expertKinds.find((known) => known === name);
    if (!kind || kinds.indexOf(name) !== experts.length) {
      throw new UsageError(`experts ${kinds}: expected some of ${expertKinds.join(',')}, each once`);
    }
    experts.push(await loadExpert(session, join(folder, kind, 'best.safetensors'), kind));
  }
  return experts;
}

async function loadExpert(session: Session, path: string, kind: ExpertKind): Promise<Expert> {
  const { settings } = await readAbout(path);
  if (settings['inputs'] !== session.inputs) {
    throw new WeightsError(`${path}: was trained on another data set or CLIP than --data and --clip name`);
  }
  const finetuned = settings['finetune-encoder'] === true;
  const clip = finetuned
    ? await loadClip(session.device, session.clip.folder, { trainable: true })
    : session.clip;
  const isPlain = finetuned || settings['no-prompts'] === true;
  const shape = {
    hidden: Number(settings['hidden']),
    prompts: {
      length: Number(settings['prompt-length']),
      depth: isPlain ? 0 : Number(settings['prompt-depth']),
    },
  };
  const expert = new Expert(session.device, kind, clip, shape, new Random(0));
  await loadParameters(path, expert.trained);
  return expert;
}

export class Dsmip {
  readonly experts: readonly Expert[];
  readonly by: 'pair' | 'mention';
  /** ParameterStore of the experts' scoring units, trained on in stage 2. */
  readonly units: ReadonlyMap<string, Tensor>;
  /** ParameterStore of the gate and of the calibration. */
  readonly gate: ReadonlyMap<string, Tensor>;
  #session: Session;
  #features: GateFeatures;
  #gate: Gate;
  #calibration: Calibration | null;
  #width: number;

  /**
   * A fresh gate over experts, whose encoders and prompts it freezes. It can leave the entities' features out, where
   * their shares are known.
   */
  static async create(
    session: Session,
    experts: Expert[],
    shape: DsmipShape,
    random: Random,
    sees: 'all' | 'mentions' = 'all',
  ): Promise<Dsmip> {
    return new Dsmip(session, experts, shape, await gateInputs(session, shape, sees), random);
  }

  private constructor(
    session: Session,
    experts: Expert[],
    shape: DsmipShape,
    features: GateFeatures,
    random: Random,
  ) {
    this.#session = session;
    this.experts = experts;
    this.by = shape['gate-by'];
    this.#features = features;
    this.#width = features.width;
    this.units = new Map(experts.flatMap(unitsOf));
    const B = experts.length;
    const { module, tensors } = initialise(session.device, random, (p) => ({
      gate: new Gate(p, { hidden: shape['gate-hidden'], experts: B }, features.width),
      calibration: shape.calibrate ? new Calibration(p, B) : null,
    }));
    this.#gate = module.gate;
    this.#calibration = module.calibration;
    this.gate = tensors;
  }

  /** Each expert's scores of a training batch, calibrated: [M, E] each. */
  expertScores(tables: readonly Record<Side, SideTables>[], batch: Batch): Tensor[] {
    return this.calibrated(
      this.experts.map((expert, i) => {
        const m = expert.featuresOf(tables[i]!.mention, batch.mentions, batch.mentionImages);
        const e = expert.featuresOf(tables[i]!.entity, batch.entities, batch.entityImages);
        return expert.scores(m, e);
      }),
    );
  }

  /** Scale and offset of each expert, where they are trained. */
  calibrated(scores: Tensor[]): Tensor[] {
    return this.#calibration?.calibrated(scores) ?? scores;
  }

  /** pi of pairs [M, E, B], or [M, 1, B] where the gate looks at the mention only. */
  choice(mention: Rows, entity: Rows, split: Split, drop?: GateDropout): Tensor {
    const { device } = this.#session;
    const m = this.#features.rows(split, mention);
    const e = this.by === 'pair' ? this.#features.rows('entity', entity) : device.zeros([1, this.#width]);
    return this.#gate.probabilities(m, e, drop);
  }

  /**
   * One side's share of pi: u [n, B] of a split's mentions, v [n, B] of entities; where the gate looks at the mention
   * only, v is the same for all, [1, B]. No gradients.
   */
  share(of: Side, rows: Rows, split: Split): Tensor {
    const { device } = this.#session;
    const sees = of === 'mention' || this.by === 'pair';
    return noGrad(() => {
      const f = sees
        ? this.#features.rows(of === 'mention' ? split : 'entity', rows)
        : device.zeros([1, this.#width]);
      return this.#gate.logits(of, f);
    });
  }

  /** u [n, B] of mentions that are in no split, on the host; images are numbers into `from.files`. */
  async sharesOfOthers(samples: Samples, from: FeatureOptions): Promise<Float32Array<ArrayBuffer>> {
    const { device } = this.#session;
    const f = await this.#features.others(samples, from);
    const shape = [samples.images.length, this.#width];
    return device.scope(() =>
      device.read<'f32'>(noGrad(() => this.#gate.logits('mention', device.tensor(shape, f)))),
    );
  }

  /** Scales and then offsets of all experts, 1 and 0 where they are not trained: [2 B]. */
  async calibration(): Promise<Float32Array<ArrayBuffer>> {
    const B = this.experts.length;
    const values = new Float32Array(2 * B).fill(1, 0, B);
    if (this.#calibration) {
      const { scale, offset } = this.#calibration;
      values.set(await this.#session.device.read<'f32'>(scale));
      values.set(await this.#session.device.read<'f32'>(offset), B);
    }
    return values;
  }

  /** Choices for all E entities: [M, E or 1, B] -> [M, E, B]. */
  spread(z: Tensor, E: number): Tensor {
    return this.by === 'pair' ? z : broadcastTo(z, [z.shape[0]!, E, z.shape[2]!]);
  }
}

/** An expert's scoring units under its name; the rest of what stage 1 trained is frozen. */
function unitsOf({ kind, groups }: Expert): [string, Tensor][] {
  for (const group of [groups.encoders, groups.prompts]) {
    for (const tensor of group.values()) tensor.requiresGrad = false;
  }
  return [...groups.units].map(([name, tensor]) => {
    tensor.name = `${kind}.${name}`;
    return [tensor.name, tensor];
  });
}

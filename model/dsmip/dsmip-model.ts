// DSMIP at work: the experts that stage 1 left, their encoders and prompts frozen, and the gate that chooses among them.

import type { FeatureOptions } from '../../encoding/features.ts';
import type { Corpus, Samples } from '../../encoding/samples.ts';
import { noGrad } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { EngineError } from '../../engine/errors.ts';
import { mul, scale } from '../../engine/ops/elementwise.ts';
import { gumbelNoise } from '../../engine/ops/gumbel.ts';
import { broadcastTo, concat, reshape } from '../../engine/ops/shape.ts';
import type { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { type Gate as GateOfParts, Mixture } from '../../ranking/mixture.ts';
import type { Batch, Side } from '../../ranking/scorer.ts';
import type { LoadedClip } from '../clip/load-clip.ts';
import { initialise } from '../initialise.ts';
import { Calibration, drawExperts, type SelectionConfig } from './dsmip.ts';
import type { Expert, SideTables } from './expert-model.ts';
import type { ExpertKind } from './experts.ts';
import { Gate, type GateDropout, type GateStart, SideGate } from './gating/gate.ts';
import type { ChoiceBy } from './gating/gate-forms.ts';
import {
  type GateImage,
  type GateInputs,
  type GateStatistics,
  gateInputs,
  gateRows,
  gateStatistics,
  gateWidth,
} from './gating/gate-inputs.ts';

/** What shapes a gate. */
export interface DsmipShape extends GateImage {
  /** Width of its layers. */
  hidden: number;
  /** What it chooses an expert for. */
  by: ChoiceBy;
  /** Whether each expert's scores have a scale and an offset of their own. */
  calibrate: boolean;
}

/** The experts of a gate that chooses a modality for each side: by the mention's, then by the entity's. */
export const sideExperts = [
  'text',
  'text-multimodal',
  'multimodal-text',
  'multimodal',
] as const satisfies readonly ExpertKind[];

/** Rows of a training batch and the image drawn for each. */
interface TrainingBatch {
  mentions: readonly number[];
  mentionImages: readonly number[];
  entities: readonly number[];
  entityImages: readonly number[];
}

export class Dsmip implements GateOfParts<GateInputs | null> {
  readonly device: Device;
  readonly experts: readonly Expert[];
  readonly by: ChoiceBy;
  /** Parameters of the experts' scoring units, trained on in stage 2. */
  readonly units: ReadonlyMap<string, Tensor>;
  /** Parameters of the gate and of the calibration. */
  readonly gate: ReadonlyMap<string, Tensor>;
  /** What the gate's features are standardised by. */
  readonly statistics: GateStatistics;
  /** What ranks: the gate over the experts. */
  readonly scorer: Mixture;
  readonly #clip: LoadedClip;
  readonly #shape: DsmipShape;
  readonly #gate: Gate | SideGate;
  readonly #calibration: Calibration | null;

  /**
   * A fresh gate over experts, whose encoders and prompts it freezes. `random`: null when it is about to be loaded. Throws
   * EngineError for a choice by side over other experts than `sideExperts`.
   */
  constructor(
    { device, clip }: { device: Device; clip: LoadedClip },
    experts: readonly Expert[],
    shape: DsmipShape,
    statistics: GateStatistics,
    random: Random | null,
    start: GateStart = 'random',
  ) {
    const B = experts.length;
    if (shape.by === 'side' && `${experts.map(({ kind }) => kind)}` !== `${sideExperts}`) {
      throw new EngineError(`gate: a choice by side is one of ${sideExperts}`);
    }
    this.device = device;
    this.experts = experts;
    this.by = shape.by;
    this.statistics = statistics;
    this.#clip = clip;
    this.#shape = shape;
    this.units = new Map(experts.flatMap(unitsOf));
    const width = gateWidth(clip, shape.image);
    const { module, tensors } = initialise(device, random, (p) => ({
      gate:
        shape.by === 'side'
          ? new SideGate(p, shape.hidden, width)
          : new Gate(p, { hidden: shape.hidden, experts: B }, width, start),
      calibration: shape.calibrate ? new Calibration(p, B) : null,
    }));
    this.#gate = module.gate;
    this.#calibration = module.calibration;
    this.gate = tensors;
    this.scorer = new Mixture('dsmip', experts, { gate: this });
  }

  get seesEntities(): boolean {
    return this.by !== 'mention';
  }

  async prepare(
    side: Side,
    samples: Samples,
    images: readonly number[],
    features: FeatureOptions,
  ): Promise<GateInputs | null> {
    if (side === 'entity' && !this.seesEntities) return null;
    return gateInputs(this.device, this.#clip, this.#shape, samples, images, features);
  }

  /** One side's half of pi, without gradients: u [n, B] of mentions, v [n, B] of entities, or [1, B] of all of them. */
  logits(side: Side, batch: Batch<GateInputs | null>): Tensor {
    return noGrad(() => this.#gate.logits(side, this.#features(side, batch)));
  }

  /** Scales and then offsets of all experts, 1 and 0 where they are not trained: [2, B]. */
  calibration(): Tensor {
    const { device } = this;
    const B = this.experts.length;
    if (!this.#calibration) return device.tensor([2, B], new Float32Array(2 * B).fill(1, 0, B));
    const { scale, offset } = this.#calibration;
    return noGrad(() => concat([reshape(scale, [1, B]), reshape(offset, [1, B])], 0));
  }

  /** Leaves the scoring units as they are: what is trained from here on is the gate alone. */
  freezeUnits(): void {
    for (const tensor of this.units.values()) tensor.requiresGrad = false;
  }

  /** Each expert's scores of a training batch, calibrated: [M, E] each. */
  expertScores(tables: readonly Record<Side, SideTables>[], batch: TrainingBatch): Tensor[] {
    const { mentions, mentionImages, entities, entityImages } = batch;
    const isFrozen = ![...this.units.values()].some(({ requiresGrad }) => requiresGrad);
    return this.calibrated(
      this.experts.map((expert, i) => {
        const { mention, entity } = tables[i]!;
        // Units that are frozen score by vectors of each side, which is less work.
        if (isFrozen) {
          const m = expert.mentionSide({ inputs: mention, rows: mentions, images: mentionImages });
          return expert.scores(
            m,
            expert.entitySide({ inputs: entity, rows: entities, images: entityImages }),
          );
        }
        const m = expert.featuresOf(mention, mentions, mentionImages);
        return expert.scores(m, expert.featuresOf(entity, entities, entityImages));
      }),
    );
  }

  /** Scale and offset of each expert, where they are trained. */
  calibrated(scores: Tensor[]): Tensor[] {
    return this.#calibration?.calibrated(scores) ?? scores;
  }

  /**
   * Draws an expert for each pair of M mentions and E entities in training: z [M, E, B]; and pi that was drawn by: [M, E, B],
   * [M, 1, B] where the gate looks at the mention only, [M, 1, 2] and [1, E, 2] where each side has its own. Differentiable.
   */
  draw(
    mention: Batch<GateInputs | null>,
    entity: Batch<GateInputs | null>,
    { noise, ...selection }: SelectionConfig & { noise: number },
    random: Random,
    drop?: GateDropout,
  ): { z: Tensor; pi: Tensor[] } {
    const [m, e] = [this.#features('mention', mention), this.#features('entity', entity)];
    const [M, E] = [mention.rows.length, entity.rows.length];
    const drawn = (pi: Tensor) => {
      const gumbel = gumbelNoise(this.device, pi.shape, random);
      return drawExperts(pi, noise === 1 ? gumbel : scale(gumbel, noise), selection);
    };
    if (this.#gate instanceof SideGate) {
      const ofMentions = reshape(this.#gate.modalities('mention', m, drop), [M, 1, 2]);
      const ofEntities = reshape(this.#gate.modalities('entity', e, drop), [1, E, 2]);
      const z = mul(reshape(drawn(ofMentions), [M, 1, 2, 1]), reshape(drawn(ofEntities), [1, E, 1, 2]));
      return { z: reshape(z, [M, E, 4]), pi: [ofMentions, ofEntities] };
    }
    const pi = this.#gate.probabilities(m, e, drop);
    const z = drawn(pi);
    return { z: this.by === 'pair' ? z : broadcastTo(z, [M, E, z.shape[2]!]), pi: [pi] };
  }

  #features(side: Side, { inputs, ...batch }: Batch<GateInputs | null>): Tensor {
    if (side === 'entity' && !this.seesEntities) {
      return this.device.zeros([1, gateWidth(this.#clip, this.#shape.image)]);
    }
    if (!inputs) throw new EngineError(`gate: the ${side} side was not prepared`);
    return gateRows(this.device, { ...batch, inputs }, this.statistics[side]);
  }
}

/**
 * The gate's features of the training mentions and of all entities, with all images, of which training may draw any; and
 * the statistics of both sides by first images.
 */
export async function gateTrainingInputs(
  {
    device,
    clip,
    corpus,
    features,
  }: { device: Device; clip: LoadedClip; corpus: Corpus; features: FeatureOptions },
  shape: DsmipShape,
): Promise<{ inputs: Record<Side, GateInputs>; statistics: GateStatistics }> {
  const images = [...corpus.files.keys()];
  const of = (samples: Samples) => gateInputs(device, clip, shape, samples, images, features);
  const inputs = { mention: await of(corpus.mentions.train), entity: await of(corpus.entities) };
  return {
    inputs,
    statistics: {
      mention: gateStatistics(inputs.mention, corpus.mentions.train),
      entity: gateStatistics(inputs.entity, corpus.entities),
    },
  };
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

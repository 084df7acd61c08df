// Stage 2 where the gate mixes the experts' probabilities: trains the shares and each expert's scale on scores that are made
// once, the experts staying as stage 1 left them; keeps the best epoch by validation MRR.

import { backward, noGrad } from '../../engine/autograd.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import type { Session } from '../../link/session.ts';
import { loadExperts } from '../../link/trained.ts';
import type { Expert } from '../../model/dsmip/expert-model.ts';
import { bestScores, confidenceFeatures, confidenceWidth } from '../../model/dsmip/gating/confidence.ts';
import { ExpertMixture } from '../../model/dsmip/gating/expert-mixture.ts';
import { columnStatistics, columnTensors } from '../../model/dsmip/gating/gate-inputs.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, prepareSamples, someMentions } from '../../ranking/sources.ts';
import type { GateTraining } from '../config/schemas.ts';
import type { FitResult, Step } from '../fit.ts';
import type { TrainingHooks } from '../hooks.ts';
import type { RandomStream } from '../random-stream.ts';
import { balanced } from './balance.ts';
import { fitGate } from './fit-gate.ts';
import { scoreStatistics, spread } from './score-statistics.ts';

/** Mentions to learn from, at most, spread evenly over all: more are known by no more than a few hundred numbers. */
const mostMentions = 4096;
/** Entities of each expert, its best for a mention, whose scores stand for those of all in training. */
const mostScores = 64;
/** What a score that does not count is replaced by: it has no probability and no gradient. */
const none = -1e6;
/** Added to pi before its logarithm, in the balance term. */
const eps = 1e-6;

/** Trains on a checked configuration; `all`: the training mentions to use. Throws as `trainGate` does. */
export async function trainMixture(
  config: GateTraining,
  session: Session,
  all: readonly number[],
  hooks: TrainingHooks,
): Promise<FitResult> {
  const rows = spread(all.length, mostMentions).map((place) => all[place]!);
  const { gate, training, run } = config;
  const { device } = session;
  const { batchSize, learningRate } = training;
  const random = new Random(training.seed);
  const experts = await loadExperts(session, run.folder, gate.experts);
  const known = await scoreTraining(session, experts, rows, hooks);
  const f = confidenceWidth(experts.length);
  const statistics = columnStatistics(() => [known.confidence], rows.length, f);
  const mixture = new ExpertMixture(device, experts, gate, statistics, random);
  const adam = new Adam([...mixture.gate.values()], { lr: learningRate });

  function* steps(draws: RandomStream): Generator<Step> {
    const order = draws.shuffled(rows.map((_, i) => i));
    for (let first = 0; first < order.length; first += batchSize) {
      const batch = order.slice(first, first + batchSize);
      const take = (factor: number, random: Random) => {
        const drop = gate.dropout > 0 ? { rate: gate.dropout, random } : undefined;
        const picked = (values: Float32Array, width: number) =>
          device.tensor([batch.length, width], pickedRows(values, batch, width));
        const scored = {
          confidence: picked(known.confidence, f),
          scores: known.scores.map((own) => picked(own, known.width)),
        };
        const { loss, pi } = mixture.loss(scored, drop);
        const whole = balanced(loss, pi, training.balance, eps, training.balanceOf);
        adam.step(backward(whole), { lr: factor * learningRate });
        return whole;
      };
      yield { examples: batch.length, take };
    }
  }

  try {
    return await fitGate(
      config,
      session,
      mixture,
      {
        stepsPerEpoch: Math.ceil(rows.length / batchSize),
        parameters: mixture.gate,
        constants: columnTensors('mention', statistics),
        adams: { gate: adam },
        random,
        async begin(isResumed) {
          if (isResumed) return;
          mixture.setScales((await scoreStatistics(session, experts)).map(({ scale }) => scale));
        },
        steps,
      },
      hooks,
    );
  } finally {
    adam.release();
    mixture.release();
    for (const { trained } of experts) for (const tensor of trained.values()) tensor.release();
  }
}

/** What training needs of the mentions in `rows`, on the host, in their order. */
interface KnownScores {
  /** [rows, f] */
  confidence: Float32Array<ArrayBuffer>;
  /** By expert, [rows, width]: see ScoredMentions. */
  scores: Float32Array<ArrayBuffer>[];
  width: number;
}

async function scoreTraining(
  { device, corpus, features }: Session,
  experts: readonly Expert[],
  rows: readonly number[],
  { onProgress }: TrainingHooks,
): Promise<KnownScores> {
  const { train } = corpus.mentions;
  const mentions = preparedMentions(await prepareSamples(experts, 'mention', train, features));
  const gold = Int32Array.from(rows, (row) => corpus.gold.train[row]!);
  const top = Math.min(mostScores, corpus.entities.images.length);
  const { systems } = await rankMentions({
    systems: experts,
    mentions: someMentions(mentions, rows),
    entities: preparedEntities(await prepareSamples(experts, 'entity', corpus.entities, features)),
    gold,
    top,
    onProgress: (done) => onProgress?.({ task: "making the experts' scores", done, total: 1 }),
  });
  const k = Math.min(bestScores, top);
  const results = experts.map(({ name }) => systems[name]!);
  const read = device.scope(() =>
    noGrad(() => {
      const best = results.map((found) =>
        device.tensor(
          [rows.length, k],
          Float32Array.from(found.top.flatMap((own) => own.slice(0, k).map(({ score }) => score))),
        ),
      );
      const hasImage = rows.map((row) => (train.images[row]!.length > 0 ? 1 : 0));
      return device.read<'f32'>(
        confidenceFeatures(best, device.tensor([rows.length, 1], Float32Array.from(hasImage))),
      );
    }),
  );
  const width = 1 + top;
  const scores = results.map(({ goldScores, top: best }) => {
    const own = new Float32Array(rows.length * width);
    for (let m = 0; m < rows.length; m++) {
      const most = Math.max(goldScores[m]!, best[m]![0]!.score);
      own[m * width] = goldScores[m]! - most;
      for (const [i, { entity, score }] of best[m]!.entries()) {
        own[m * width + 1 + i] = entity === gold[m] ? none : score - most;
      }
    }
    return own;
  });
  return { confidence: await read, scores, width };
}

/** Some rows of a matrix. */
function pickedRows(values: Float32Array, rows: readonly number[], width: number): Float32Array<ArrayBuffer> {
  const picked = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries())
    picked.set(values.subarray(row * width, (row + 1) * width), i * width);
  return picked;
}

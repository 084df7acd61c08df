// Calibrates the system that links, after stage 2 and on dev: the temperature of its probabilities and how much names count
// in its scores, by the likelihood of the gold entities; and how probable it is that the right entity is in the
// knowledge base, by mentions whose entity counts as taken out. Nothing of the system itself changes.

import { type Mention, mentionTexts } from '../../data/entity-mention.ts';
import { matchesOf, type NameMatch } from '../../data/names/name-matches.ts';
import { takenOutRows } from '../../data/taken-out.ts';
import { type Samples, sampleTexts } from '../../encoding/samples.ts';
import { UsageError } from '../../files/errors.ts';
import {
  type Calibration,
  calibrationFile,
  confidenceFeatures,
  confidenceFeaturesOf,
  confidenceOf,
  nameAddition,
  probableEntities,
  writeCalibration,
} from '../../link/calibration.ts';
import { calibrationFolder, loadLinkingModel } from '../../link/linking-model.ts';
import { openTokenizer } from '../../link/model-base.ts';
import type { Session } from '../../link/session.ts';
import { areaUnderRoc } from '../../ranking/confidence.ts';
import { listOf, pairLists } from '../../ranking/pair-lists.ts';
import type { AnyScorer } from '../../ranking/scorer.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { preparedEntities, preparedMentions, prepareSamples } from '../../ranking/sources.ts';
import { checkConfig } from '../config/check.ts';
import { type CalibrationConfig, calibrationSchema } from '../config/schemas.ts';
import type { Hooks } from '../hooks.ts';
import { RandomStream } from '../random-stream.ts';
import { type Choice, fitConditionalLogit, meanLoss } from './conditional-logit.ts';
import { mistyped } from './mistyped.ts';

/**
 * Against weights that grow without bound: in a clean data set every gold entity has the mention's name, and a name would
 * count for everything. The inverse temperature has next to none.
 */
const nameRidge = [1e-6, 1, 1];
const confidenceRidge = 1;

/** Of so many mentions one is taken mistyped as well. */
const changedEvery = 4;

/** A mention as it is calibrated on. */
interface Example {
  gold: number;
  /** Whether its gold entity counts as taken out of the knowledge base. */
  isTakenOut: boolean;
  matches: readonly NameMatch[];
  /** Its best entities, those that its word may name and its gold entity, with the system's scores. */
  candidates: readonly { entity: number; score: number }[];
}

/**
 * Calibrates a run's linking system on an open session and writes RUN/calibration.json, or that of the CLIP's folder for a
 * system that is used as it comes. Throws ConfigError for a field that
 * is not valid, UsageError for a data set without dev mentions, and what `loadLinkingModel` throws.
 */
export async function calibrate(
  config: CalibrationConfig,
  session: Session,
  hooks: Hooks = {},
): Promise<{ file: string; system: string; calibration: Calibration }> {
  const { run, names, calibration: options } = checkConfig(calibrationSchema, config);
  if (session.dataset.splits.dev.length === 0) {
    throw new UsageError(`${session.dataset.name}: has no dev mentions to calibrate on`);
  }
  const model = await loadLinkingModel(session, run.folder, options.system ?? null);
  try {
    const examples = await examplesOf(session, model.scorer, names.use, hooks);
    const fitted = fit(examples, names.use);
    const system = model.scorer.name;
    const calibration = { fingerprint: model.fingerprint!, ...fitted };
    const folder = calibrationFolder(system, run.folder, session.clip.folder);
    await writeCalibration(folder, system, calibration, hooks.onWarning);
    return { file: calibrationFile(folder), system, calibration };
  } finally {
    model.release();
  }
}

/** The dev mentions, mistyped ones where names count, and those without their entity. */
async function examplesOf(
  session: Session,
  scorer: AnyScorer,
  usesNames: boolean,
  hooks: Hooks,
): Promise<Example[]> {
  const { dataset, corpus, features } = session;
  const { dev } = dataset.splits;
  const draws = new RandomStream(1);
  const numbered = dev.map((mention, row) => ({ ...mention, row }));
  const changed = usesNames
    ? numbered.filter((_, i) => i % changedEvery === 0).flatMap((mention) => mistyped(mention, draws) ?? [])
    : [];
  const mentions = [...numbered, ...changed];
  const matches = usesNames ? await matchesOf(dataset.entities, mentions) : mentions.map(() => []);
  const wanted = pairLists(mentions.map(({ entity }, i) => [entity, ...matches[i]!.map(({ row }) => row)]));
  const samples = await samplesOf(
    session,
    mentions,
    mentions.map(({ row }) => corpus.mentions.dev.images[row]!),
  );
  const prepared = await prepareSamples([scorer], 'mention', samples, features);
  const entities = await prepareSamples([scorer], 'entity', corpus.entities, features);
  const found = await rankMentions({
    systems: [scorer],
    mentions: preparedMentions(prepared),
    entities: preparedEntities(entities),
    top: probableEntities + 1,
    wanted,
    onProgress(done) {
      hooks.signal?.throwIfAborted();
      hooks.onProgress?.({ task: 'calibrating', done, total: 1 });
    },
  });
  const { top } = found.systems[scorer.name]!;
  const scores = found.wanted[scorer.name]!;
  const all = mentions.map(({ entity: gold }, i): Example => {
    const own = new Map(top[i]!.map(({ entity, score }) => [entity, score]));
    listOf(wanted, i).forEach((entity, j) => {
      own.set(entity, scores[wanted.offsets[i]! + j]!);
    });
    const candidates = [...own].map(([entity, score]) => ({ entity, score }));
    return { gold, isTakenOut: false, matches: matches[i]!, candidates };
  });
  // Mistyped ones as well: else a word that is nearly a name would be a sign that its entity is there.
  const out = new Set(takenOutRows(dataset, 'dev'));
  return [...all, ...all.filter((_, i) => out.has(mentions[i]!.row)).map(takenOut)];
}

/** The same mention with its gold entity out of the knowledge base. */
function takenOut(example: Example): Example {
  const { gold, matches, candidates } = example;
  return {
    gold,
    isTakenOut: true,
    matches: matches.filter(({ row }) => row !== gold),
    candidates: candidates.filter(({ entity }) => entity !== gold),
  };
}

async function samplesOf(
  { clip }: Session,
  mentions: readonly Mention[],
  images: readonly (readonly number[])[],
): Promise<Samples> {
  const tokenizer = await openTokenizer(clip);
  try {
    return {
      ...sampleTexts(tokenizer, mentions.map(mentionTexts), clip.config.text.maxLength),
      images,
    };
  } finally {
    tokenizer.free();
  }
}

/** What both fits give, on all examples; and how it does on halves of the entities that it was not fitted on. */
function fit(examples: readonly Example[], usesNames: boolean): Omit<Calibration, 'fingerprint'> {
  const fitted = fitOn(examples, usesNames);
  const held = { loss: 0, right: 0, rightWithoutNames: 0, linkable: 0 };
  const sure: { linkable: number[]; takenOut: number[] } = { linkable: [], takenOut: [] };
  for (const half of [0, 1]) {
    const own = fitOn(
      examples.filter(({ gold }) => gold % 2 !== half),
      usesNames,
    );
    for (const example of examples.filter(({ gold }) => gold % 2 === half)) {
      const { inKnowledgeBase } = confidenceOf(bestOf(example, own), example.matches, own);
      sure[example.isTakenOut ? 'takenOut' : 'linkable'].push(inKnowledgeBase);
      if (example.isTakenOut) continue;
      const { temperature, names } = own;
      const logits = [1, names?.exact ?? 0, names?.fuzzy ?? 0].map((weight) => weight / temperature);
      held.linkable++;
      held.loss += meanLoss([choiceOf(example)], logits);
      held.right += Number(bestOf(example, own)[0]?.entity === example.gold);
      held.rightWithoutNames += Number(bestOf(example, { ...own, names: null })[0]?.entity === example.gold);
    }
  }
  return {
    ...fitted,
    fit: {
      mentions: held.linkable,
      takenOut: sure.takenOut.length,
      crossValidatedLoss: held.loss / held.linkable,
      'crossValidatedHits@1': (100 * held.right) / held.linkable,
      'hits@1WithoutNames': (100 * held.rightWithoutNames) / held.linkable,
      crossValidatedAuroc: areaUnderRoc(sure.linkable, sure.takenOut),
    },
  };
}

type Fitted = Pick<Calibration, 'temperature' | 'names' | 'inKnowledgeBase'>;

function fitOn(examples: readonly Example[], usesNames: boolean): Fitted {
  const linkable = examples.filter(({ isTakenOut }) => !isTakenOut);
  // Without names their features are all 0, and so are their weights.
  const [scale, exact, fuzzy] = fitConditionalLogit(linkable.map(choiceOf), nameRidge) as [
    number,
    number,
    number,
  ];
  // A system that knows nothing has no scale; its probabilities are all the same.
  const temperature = 1 / Math.max(scale, 1e-6);
  const names = usesNames ? { exact: exact * temperature, fuzzy: fuzzy * temperature } : null;
  const scored = { temperature, names };
  const missing = examples.length - linkable.length;
  const choices = examples.map((example): Choice => {
    const features = featuresOf(example, scored);
    const weight = examples.length / 2 / (example.isTakenOut ? missing : linkable.length);
    return {
      alternatives: [features, features.map(() => 0)],
      chosen: example.isTakenOut ? 1 : 0,
      weight,
    };
  });
  const weights = fitConditionalLogit(
    choices,
    confidenceFeatures.map((name) => (name === 'constant' ? 1e-6 : confidenceRidge)),
  );
  const inKnowledgeBase = Object.fromEntries(
    confidenceFeatures.map((name, i) => [name, weights[i]!]),
  ) as Fitted['inKnowledgeBase'];
  return { ...scored, inKnowledgeBase };
}

function choiceOf({ candidates, matches, gold }: Example): Choice {
  return {
    alternatives: candidates.map(({ entity, score }) => {
      const match = matches.find(({ row }) => row === entity);
      return [score, match?.kind === 'exact' ? 1 : 0, match?.kind === 'fuzzy' ? match.similarity : 0];
    }),
    chosen: candidates.findIndex(({ entity }) => entity === gold),
  };
}

/** The best candidates, names counted in. */
function bestOf(
  { candidates, matches }: Example,
  { names }: Pick<Calibration, 'names'>,
): { entity: number; score: number }[] {
  return candidates
    .map(({ entity, score }) => {
      const match = matches.find(({ row }) => row === entity);
      return { entity, score: score + nameAddition(match, names) };
    })
    .sort((a, b) => b.score - a.score || a.entity - b.entity)
    .slice(0, probableEntities);
}

function featuresOf(example: Example, scored: Pick<Calibration, 'names' | 'temperature'>): number[] {
  return confidenceFeaturesOf(bestOf(example, scored), example.matches, scored);
}

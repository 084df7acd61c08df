// What every training and every piece of work on a run is told: one schema each, of sections by subject. A field's
// default is here only where it is the same for all data sets; the others are in the presets.

import * as v from 'valibot';
import { mentionKinds } from '../../data/entity-mention.ts';
import { shippedEncoders } from '../../link/baselines/own-encoders.ts';
import { linkingSystems } from '../../link/linking-model.ts';
import { trainedSystems } from '../../model/baselines/rerankers.ts';
import { allExpertKinds } from '../../model/dsmip/experts.ts';
import { gateStarts } from '../../model/dsmip/gating/gate.ts';
import { choicesBy, gateForms } from '../../model/dsmip/gating/gate-forms.ts';
import { promptStarts } from '../../model/dsmip/prompts.ts';
import { localStarts } from '../../model/dsmip/text-unit.ts';
import { hardNegativeOrders } from '../batches.ts';
import { balanceMeasures } from '../gating/balance.ts';
import { schedules } from '../schedule.ts';
import { choice, integer, integerOrAuto, object, onOff, path, real, some, text } from './fields.ts';

const data = v.strictObject({ folder: path({ description: 'folder of the data set', isPlace: true }) });
const clip = v.strictObject({
  folder: path({ description: "folder of the CLIP, in Hugging Face's layout", isPlace: true }),
});
/** What baselines begin from. */
const bert = v.optional(
  v.strictObject({
    folder: v.optional(
      path({ description: "folder of the baselines' BERT, in Hugging Face's layout", isPlace: true }),
      shippedEncoders.bert,
    ),
  }),
  {},
);
const albef = v.optional(
  v.strictObject({
    folder: v.optional(
      path({
        description: "folder of the baselines' ALBEF, with the names of its checkpoints",
        isPlace: true,
      }),
      shippedEncoders.albef,
    ),
  }),
  {},
);
const run = v.optional(
  v.strictObject({
    folder: v.optional(path({ description: 'folder of the results', isPlace: true }), 'runs/default'),
  }),
  {},
);
const cache = v.optional(
  v.strictObject({
    folder: v.optional(
      text({
        description: "folder of frozen encoders' features; '' keeps none",
        decides: false,
        isPlace: true,
      }),
      '.cache/features',
    ),
  }),
  {},
);
/** Of everything that opens a session. */
const common = { data, clip, run, cache };
/** Of what works with baselines as well. */
const commonOfAll = { ...common, bert, albef };

const seed = (of: string) => v.optional(integer(0, { description: of }), 1);
/** Which system of a run answers, where it is not the usual one. */
const system = v.optional(
  choice(linkingSystems, {
    description: 'what answers; without it DSMIP, or in a run without a gate its best expert by kind',
  }),
);
const batchSize = integer(2, { description: 'mentions a batch', unit: 'mentions' });
const trainFraction = v.optional(
  real({ above: 0, most: 1 }, { description: 'part of the training mentions to use, from 0 to 1' }),
  1,
);
const kinds = v.optional(
  some(mentionKinds, {
    description:
      'kinds of mentions to train and to validate on; those of a data set without kinds are all used',
  }),
  [...mentionKinds],
);

const hardNegativesBy = v.optional(
  choice(hardNegativeOrders, {
    description: "which come first: all such entities alike, or those that have the mention's name",
  }),
  'similarity',
);
const imageDropout = (description: string) =>
  v.optional(real({ least: 0, below: 1 }, { description: `probability ${description}` }), 0);

/** Stage 1: one expert. */
export const expertSchema = v.strictObject({
  ...common,
  expert: v.strictObject({
    kind: v.optional(choice(allExpertKinds, { description: 'which expert to train' }), 'multimodal'),
    hidden: integer(1, { description: 'width of the scoring units' }),
    prompts: v.strictObject({
      use: v.optional(onOff({ description: 'prompts of the multimodal expert' }), true),
      length: integer(1, { description: 'prompts a layer', unit: 'prompts' }),
      depth: integer(0, { description: 'layers with prompts of their own', unit: 'layers' }),
      start: choice(promptStarts, {
        description: 'small random prompts, or none to speak of, which begin without a direction',
      }),
    }),
    localStart: v.optional(
      choice(localStarts, {
        description:
          "the text unit's local term at first: as random as PyTorch's layers, or zero, so that the text counts as CLIP has it",
      }),
      'random',
    ),
    finetuneEncoder: v.optional(onOff({ description: 'train all of CLIP as well, without prompts' }), false),
  }),
  training: v.strictObject({
    seed: seed('seed of weights and batches'),
    epochs: integer(1, { description: 'times through the training mentions', unit: 'epochs' }),
    batchSize,
    learningRate: real({ least: 0 }, { description: "Adam's learning rate" }),
    schedule: choice(['constant', 'cosine'], { description: 'how the learning rate changes' }),
    mentionsPerEpoch: v.optional(
      integer(0, {
        description: 'training mentions an epoch, drawn anew for each; 0: all',
        unit: 'mentions',
      }),
      0,
    ),
    unitEpochs: v.optional(
      integer(0, {
        description:
          'epochs before the first of an expert with prompts, or one that trains CLIP, in which its scoring units alone ' +
          'are trained, on features without prompts',
        unit: 'epochs',
      }),
      0,
    ),
    trainFraction,
    kinds,
    holdOut: v.optional(real({ least: 0, below: 1 }, { description: 'part of them to leave to stage 2' }), 0),
    hardNegatives: integer(0, {
      description: "entities like each mention's own, by CLIP, joined to its batch",
      unit: 'entities',
    }),
    hardNegativesBy,
    mentionImageDropout: imageDropout("of a mention's picture being left out of a step"),
    entityImageDropout: imageDropout("of an entity's picture being left out of a step"),
    textGroups: v.optional(
      integer(1, {
        description:
          'groups of like length that a trained encoder takes the texts of a batch in, each text once: less padding; 1: ' +
          'all in one, as they are',
        unit: 'groups',
      }),
      1,
    ),
    encodeChunk: v.optional(
      integerOrAuto(0, {
        description:
          'texts or images that a trained encoder takes at a time, twice each, so that a large batch fits into ' +
          'memory; 0: the whole batch at once; auto: that where it fits, else as many as do',
      }),
      'auto',
    ),
    memoryGB: v.optional(
      real(
        { least: 0 },
        {
          description: 'device memory to stay within; 0: 3/4 of the memory on a CPU adapter, 8 on a GPU',
          unit: 'GB',
          decides: false,
        },
      ),
      0,
    ),
  }),
});
export type ExpertTraining = v.InferOutput<typeof expertSchema>;

/** Stage 2: the gate over trained experts. */
export const gateSchema = v.strictObject({
  ...common,
  gate: v.strictObject({
    experts: some(allExpertKinds, { description: 'experts to choose among, separated by commas' }),
    hidden: integer(1, { description: "width of the gate's layers" }),
    dropout: real({ least: 0, below: 1 }, { description: "part of the gate's numbers to drop in training" }),
    temperature: real({ above: 0 }, { description: "temperature of the choice's gradient" }),
    image: choice(['clip', 'vgg'], {
      description: "the gate's image feature: CLIP's mean token or VGG16's fc7",
    }),
    vgg: v.optional(
      path({ description: "VGG16's weights with torchvision's names, for vgg as the image feature" }),
      'weights/vgg16.safetensors',
    ),
    form: v.optional(
      choice(gateForms, {
        description:
          'an expert chosen for each pair, as in the paper, or a mixture of the probabilities that all experts give ' +
          'entities, by how sure each is of a mention; its experts stay as stage 1 left them',
      }),
      'choice',
    ),
    by: v.optional(
      choice(choicesBy, {
        description:
          'what an expert is chosen for; side: text or both modalities for the mention, and again for the entity',
      }),
      'pair',
    ),
    start: v.optional(
      choice(gateStarts, {
        description:
          "the gate at first: as random as PyTorch's layers, or with nothing of the entity in its choice",
      }),
      'random',
    ),
    calibrate: onOff({
      description:
        "a trained scale and offset of each expert's scores, which begins at equal means and deviations",
    }),
  }),
  training: v.strictObject({
    seed: seed('seed of weights, batches, dropout and noise'),
    epochs: integer(1, { description: 'times through the training mentions', unit: 'epochs' }),
    batchSize,
    learningRate: real({ least: 0 }, { description: "Adam's learning rate of the gate" }),
    unitLearningRate: real(
      { least: 0 },
      { description: 'the same of the scoring units; 0 leaves them as they are' },
    ),
    schedule: choice(['constant', 'cosine'], { description: 'how the learning rates change' }),
    mentions: v.optional(
      integer(0, {
        description: 'train on so many of the training mentions, drawn once; 0: all',
        unit: 'mentions',
      }),
      0,
    ),
    trainFraction,
    kinds,
    holdOut: v.optional(
      real(
        { least: 0, below: 1 },
        { description: 'part of them that stage 1 was told to leave out: train on those only; 0: on all' },
      ),
      0,
    ),
    hardNegatives: integer(0, {
      description: 'entities that an expert ranks high for each mention, joined to its batch',
      unit: 'entities',
    }),
    hardNegativesBy,
    noise: v.optional(
      real(
        { least: 0 },
        { description: 'factor on the Gumbel noise of the draws in training; 0: the choices of ranking' },
      ),
      1,
    ),
    balance: v.optional(
      real(
        { least: 0 },
        { description: 'weight of a term that keeps each expert chosen as often as the others; 0: none' },
      ),
      0,
    ),
    balanceOf: v.optional(
      choice(balanceMeasures, {
        description:
          'what that term evens out: probabilities of the draws in training, or the choices of ranking',
      }),
      'probabilities',
    ),
  }),
});
export type GateTraining = v.InferOutput<typeof gateSchema>;

/** A baseline. */
export const baselineSchema = v.strictObject({
  ...commonOfAll,
  baseline: v.strictObject({
    system: choice(trainedSystems, { description: 'which baseline or reranker to train' }),
    options: v.optional(object({ description: 'settings of this baseline alone' }), {}),
  }),
  training: v.strictObject({
    seed: seed('seed of weights and batches'),
    epochs: integer(1, { description: 'times through the training mentions', unit: 'epochs' }),
    batchSize,
    learningRate: real({ least: 0 }, { description: "Adam's learning rate" }),
    schedule: choice(schedules, { description: 'how the learning rate changes' }),
    warmup: real(
      { least: 0, below: 1 },
      { description: 'part of the steps in which the learning rate rises to its height' },
    ),
    weightDecay: real({ least: 0 }, { description: 'decoupled, not on norms, biases and scales' }),
    finalRate: v.optional(
      real(
        { least: 0, most: 1 },
        { description: 'part of the learning rate that a falling schedule ends at' },
      ),
      0,
    ),
    clipNorm: real({ least: 0 }, { description: 'largest norm of all gradients; 0: any' }),
    eps: v.optional(real({ above: 0 }, { description: "added to the root of Adam's second moments" }), 1e-8),
    patience: v.optional(
      integer(0, {
        description: 'end after so many epochs without a better one; 0: never',
        unit: 'epochs',
      }),
      0,
    ),
    hardNegatives: v.optional(
      integer(0, {
        description: 'entities a mention that the system itself takes for its own, as further negatives',
        unit: 'entities',
      }),
      0,
    ),
    hardEpochs: v.optional(
      integer(0, { description: 'the last epochs, which have hard negatives', unit: 'epochs' }),
      0,
    ),
    trainFraction,
    kinds,
    encodeChunk: v.optional(
      integer(0, {
        description:
          'samples of a side that trained encoders take at a time, twice each, so that a large batch fits into ' +
          'memory; 0: the whole batch at once',
        unit: 'samples',
      }),
      0,
    ),
  }),
});
export type BaselineTraining = v.InferOutput<typeof baselineSchema>;

const names = v.optional(
  v.strictObject({
    use: v.optional(
      onOff({
        description:
          "count an entity's names and aliases in its score where they are the mention's word, by the run's calibration",
      }),
      false,
    ),
  }),
  {},
);

/** What makes probabilities of a system's scores, and how much names count in them; fitted on dev. */
export const calibrationSchema = v.strictObject({
  ...commonOfAll,
  names,
  calibration: v.optional(v.strictObject({ system }), {}),
});
export type CalibrationConfig = v.InferOutput<typeof calibrationSchema>;

/** How well a run does on a split. */
export const evaluationSchema = v.strictObject({
  ...commonOfAll,
  names,
  evaluation: v.optional(
    v.strictObject({
      split: v.optional(
        choice(['train', 'dev', 'test'], { description: 'the split whose mentions are ranked' }),
        'test',
      ),
      system,
      mean: v.optional(
        onOff({
          description:
            'also what the experts give together without a gate: the plain mean of their scores, the mean of ' +
            'standardised ones, a mixture of their probabilities in equal shares',
        }),
        false,
      ),
      index: v.optional(
        onOff({
          description:
            'take entities from RUN/index and rank by what answers alone: DSMIP, or without a gate one expert',
        }),
        false,
      ),
      candidates: v.optional(
        integer(0, {
          description:
            'score so many entities a mention, proposed by dense retrieval, and those that its word may name; 0: all',
          unit: 'entities',
        }),
        0,
      ),
    }),
    {},
  ),
});
export type EvaluationConfig = v.InferOutput<typeof evaluationSchema>;

const place = (description: string) => v.optional(text({ description, decides: false, isPlace: true }), '');

export const indexSchema = v.strictObject({
  ...commonOfAll,
  knowledgeBase: v.optional(
    v.strictObject({
      source: place(
        "JSON lines (id, name, aliases, description, attributes, images) or a data set's folder; '': the data set",
      ),
      images: place("folder that the image paths of JSON lines begin at; '': that of the file"),
    }),
    {},
  ),
  out: v.optional(
    v.strictObject({ folder: place("folder to write the index into; '': RUN/index, for the data set only") }),
    {},
  ),
  index: v.optional(
    v.strictObject({
      system,
      dtype: v.optional(
        choice(['int8', 'float16', 'float32'], {
          description: "how vectors are stored; int8: the texts' queries only, the rest in float16",
        }),
        'int8',
      ),
      shard: v.optional(integer(1, { description: 'entities a file', unit: 'entities' }), 4096),
    }),
    {},
  ),
});
export type IndexConfig = v.InferOutput<typeof indexSchema>;

export const linkSchema = v.strictObject({
  ...commonOfAll,
  names,
  link: v.optional(
    v.strictObject({
      knowledgeBase: place("folder of a knowledge base's index; '': RUN/index, built where it is not there"),
      system: place("which of the run's systems answers; '': what the index was built for"),
      top: v.optional(integer(1, { description: 'entities to give', unit: 'entities' }), 5),
      candidates: v.optional(
        integer(0, {
          description:
            'score so many entities a mention, proposed by dense retrieval, and those that its word may name; 0: all',
          unit: 'entities',
        }),
        0,
      ),
      threshold: v.optional(
        real(
          { least: 0, most: 1 },
          {
            description:
              'none of them where the probability that the right entity is in the knowledge base is less',
          },
        ),
        0,
      ),
    }),
    {},
  ),
});

/** The server: how mentions are linked where a request does not say, where it listens, and what it takes in. */
export const serveSchema = v.strictObject({
  ...commonOfAll,
  names,
  link: linkSchema.entries.link,
  server: v.optional(
    v.strictObject({
      host: v.optional(
        text({ description: 'address to listen at; 0.0.0.0: all of the machine', isPlace: true }),
        '127.0.0.1',
      ),
      port: v.optional(integer(0, { description: 'port to listen at; 0: any that is free' }, 65535), 8080),
      site: place("folder of a page that dsmip demo wrote, to show at /; '': none"),
      tokenFile: place("file of the bearer token that requests must have; '': none"),
      queue: v.optional(
        integer(1, { description: 'most that wait or are being linked; beyond that 429', unit: 'mentions' }),
        1024,
      ),
      deadline: v.optional(
        real({ above: 0 }, { description: 'time that a request may take', unit: 'seconds' }),
        30,
      ),
      gather: v.optional(
        real(
          { least: 0 },
          { description: 'time that a first mention waits for others, up to 128', unit: 'ms' },
        ),
        5,
      ),
      bodyMB: v.optional(real({ above: 0 }, { description: 'largest body of a request', unit: 'MB' }), 16),
      imageMB: v.optional(real({ above: 0 }, { description: 'largest file of an image', unit: 'MB' }), 8),
      megapixels: v.optional(
        real(
          { above: 0 },
          { description: "most pixels of a request's images together, by their headers", unit: 'million' },
        ),
        16,
      ),
    }),
    {},
  ),
});
export type ServeConfig = v.InferOutput<typeof serveSchema>;

/** The page: what it links by, and where it is written. */
export const demoSchema = v.strictObject({
  ...commonOfAll,
  names,
  link: linkSchema.entries.link,
  out: v.optional(
    v.strictObject({
      folder: v.optional(text({ description: 'folder to write the site into', isPlace: true }), 'site'),
    }),
    {},
  ),
  server: v.optional(
    v.strictObject({
      port: v.optional(
        integer(0, { description: 'port of 127.0.0.1 to serve it at; 0: any that is free' }, 65535),
        8080,
      ),
    }),
    {},
  ),
});

export const reportSchema = v.strictObject({ data, run });
export type ReportConfig = v.InferOutput<typeof reportSchema>;

/** What is told to all stages of a run together; a single stage knows more. */
export const startSchema = v.strictObject({
  ...common,
  training: v.strictObject({
    seed: seed('seed of all that is random'),
    epochs: v.optional(integer(0, { description: "of each stage; 0: the preset's", unit: 'epochs' }), 0),
    batchSize,
    trainFraction,
    kinds,
  }),
  evaluation: v.optional(
    v.strictObject({
      split: v.optional(choice(['dev', 'test'], { description: 'what to evaluate on' }), 'test'),
    }),
    {},
  ),
});

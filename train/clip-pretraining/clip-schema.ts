// What the pretraining of a tiny CLIP is told: the recipe, number by number.

import * as v from 'valibot';
import { fieldError } from '../config/check.ts';
import { integer, onOff, path, real, text as word } from '../config/fields.ts';
import { counted, optimiserFields, part } from '../config/recipe-fields.ts';
import { patchSquares } from './image/begin-as-pixels.ts';

/** What a student of texts learns from in each step, and by what. */
const student = (usual: {
  distillation: number;
  senseContrast: number;
  spokenContrast: number;
  sensePairs: number;
  spokenPairs: number;
  contexts: number;
  entities: number;
  sentences: number;
  sentenceContexts: number;
}) => ({
  distillation: part(usual.distillation, "weight of the distance to the teacher's vectors"),
  senseContrast: part(usual.senseContrast, 'weight of telling senses of WordNet apart'),
  spokenContrast: part(usual.spokenContrast, 'weight of telling entities apart by ordinary sentences'),
  sensePairs: counted(usual.sensePairs, 'senses of WordNet with two texts a step', 'pairs'),
  spokenPairs: counted(usual.spokenPairs, 'entities with an ordinary sentence a step', 'pairs'),
  contexts: counted(usual.contexts, "WordNet's example sentences a step", 'texts'),
  entities: counted(usual.entities, "texts of the knowledge base's entities a step", 'texts'),
  sentences: counted(usual.sentences, 'ordinary sentences a step', 'texts'),
  sentenceContexts: counted(
    usual.sentenceContexts,
    'ordinary sentences with another noun as the word a step',
    'texts',
  ),
});

export const clipSchema = v.strictObject({
  data: v.strictObject({ folder: path({ description: 'folder of the data set', isPlace: true }) }),
  wordnet: v.strictObject({ folder: path({ description: "folder of WordNet's files", isPlace: true }) }),
  teacher: v.strictObject({
    folder: path({ description: 'folder of the sentence encoder that is distilled', isPlace: true }),
    cache: v.optional(
      path({ description: "folder of the teacher's vectors, kept for the next time", isPlace: true }),
      '.cache/teacher',
    ),
  }),
  run: v.optional(
    v.strictObject({
      folder: v.optional(
        path({ description: 'folder of checkpoints and metrics', isPlace: true }),
        'runs/clip',
      ),
    }),
    {},
  ),
  out: v.strictObject({ folder: path({ description: 'folder to write', isPlace: true }) }),
  training: v.optional(
    v.strictObject({
      seed: v.optional(integer(0, { description: 'of weights, batches and views' }), 1),
      checkpointSteps: counted(115, 'steps between two checkpoints', 'steps', 1),
    }),
    {},
  ),
  corpus: v.optional(
    v.strictObject({
      seed: v.optional(
        integer(0, {
          description: 'of which texts; the same for all seeds of training: the teacher has read them',
        }),
        1,
      ),
      texts: counted(0, 'texts of WordNet to use; 0: all', 'texts'),
      sentences: v.optional(
        word({ description: "file of ordinary sentences of training entities; '' for none", isPlace: true }),
        '',
      ),
      mentions: v.optional(
        onOff({ description: "learn from the training mentions' ordinary sentences as well" }),
        false,
      ),
      contextWords: counted(2, 'nouns that an example sentence is taken with, at most', 'nouns'),
    }),
    {},
  ),
  projection: v.optional(
    v.strictObject({ width: counted(128, 'width of the common space', 'numbers', 1) }),
    {},
  ),
  loss: v.optional(
    v.strictObject({
      logitScale: v.optional(
        real({ least: 1 }, { description: 'factor of similarities at the beginning' }),
        20,
      ),
      maxLogitScale: v.optional(real({ least: 1 }, { description: 'largest factor of similarities' }), 50),
    }),
    {},
  ),
  map: v.optional(
    v.strictObject({
      ...optimiserFields("the teacher's map", { steps: 500, warmup: 0, rate: 3e-5, decay: 0.01, clip: 0 }),
      ...student({
        distillation: 0,
        senseContrast: 1,
        spokenContrast: 1,
        sensePairs: 512,
        spokenPairs: 256,
        contexts: 0,
        entities: 0,
        sentences: 0,
        sentenceContexts: 0,
      }),
    }),
    {},
  ),
  text: v.optional(
    v.strictObject({
      vocabulary: counted(30_000, 'tokens to train', 'tokens', 514),
      width: counted(128, 'width of the text encoder', 'numbers', 1),
      heads: counted(4, 'attention heads of the text encoder', 'heads', 1),
      layers: counted(3, 'layers of the text encoder', 'layers', 1),
      length: counted(40, 'most tokens of a text', 'tokens', 2),
      tokenDeviation: part(0.05, "deviation of a token's vector at the beginning"),
    }),
    {},
  ),
  bag: v.optional(
    v.strictObject({
      ridgeTexts: counted(20_000, 'texts that its projection is first fitted to', 'texts', 1),
      ridge: part(10, 'penalty of that fit'),
      ...optimiserFields('the bag', { steps: 800, warmup: 20, rate: 2e-3, decay: 0, clip: 0 }),
      ...student({
        distillation: 4,
        senseContrast: 0.2,
        spokenContrast: 0.2,
        sensePairs: 192,
        spokenPairs: 64,
        contexts: 192,
        entities: 64,
        sentences: 64,
        sentenceContexts: 96,
      }),
    }),
    {},
  ),
  transformer: v.optional(
    v.strictObject({
      ...optimiserFields('the transformer', { steps: 460, warmup: 30, rate: 1e-3, decay: 0.1, clip: 1 }),
      ...student({
        distillation: 4,
        senseContrast: 0.2,
        spokenContrast: 0.2,
        sensePairs: 96,
        spokenPairs: 96,
        contexts: 96,
        entities: 32,
        sentences: 48,
        sentenceContexts: 64,
      }),
    }),
    {},
  ),
  homonyms: v.optional(
    v.strictObject({
      ...optimiserFields('the end on ordinary sentences', {
        steps: 140,
        warmup: 10,
        rate: 3e-4,
        decay: 0.1,
        clip: 1,
      }),
      ...student({
        distillation: 4,
        senseContrast: 0.2,
        spokenContrast: 0.5,
        sensePairs: 96,
        spokenPairs: 128,
        contexts: 96,
        entities: 32,
        sentences: 48,
        sentenceContexts: 64,
      }),
    }),
    {},
  ),
  vision: v.optional(
    v.strictObject({
      width: counted(128, 'width of the vision encoder', 'numbers', 1),
      heads: counted(4, 'attention heads of the vision encoder', 'heads', 1),
      layers: counted(3, 'layers of the vision encoder', 'layers', 1),
      imageSize: counted(64, 'side of an image', 'pixels', 1),
      patchSize: counted(32, 'side of a patch', 'pixels', 1),
      beginAsPixels: v.optional(
        onOff({ description: 'a vision encoder that begins as the pixels of its patches, a head for each' }),
        true,
      ),
      ...optimiserFields('the vision encoder', { steps: 200, warmup: 40, rate: 1e-3, decay: 0.1, clip: 1 }),
      images: counted(64, 'images with two views a step', 'images', 2),
      textDistance: part(0, "weight of the distance to the entity's text"),
      textContrast: part(1, 'weight of telling entities apart by their texts'),
      viewContrast: part(1, 'weight of telling images apart by another view'),
      pixelDistance: part(4, "weight of the distance to the image's pixels"),
      pixelSide: counted(16, 'side of the pixels that it also learns from', 'pixels', 1),
      pixelAxes: counted(64, 'principal axes of those pixels', 'axes', 1),
    }),
    {},
  ),
  views: v.optional(
    v.strictObject({
      zoom: part(0.07, 'how much larger or smaller an image view may be'),
      shift: part(0.05, 'how far an image view may be off, in parts of its side'),
      rotation: part(5, 'how far an image view may be turned', 'degrees'),
      colour: part(0.1, 'how much brightness, contrast and colours of an image view may change'),
    }),
    {},
  ),
});
export type ClipPretraining = v.InferOutput<typeof clipSchema>;
/** What a phase of the text side is told. */
export type StudentSettings = ClipPretraining['transformer'];

const { training, corpus, projection, loss, map, text, bag, transformer, homonyms, vision, views } =
  clipSchema.entries;
const ofMap = { training, corpus, projection, loss, map };
const ofText = { ...ofMap, text, bag };

/** The fields that decide each phase's result. */
export const phaseSchemas = {
  map: v.strictObject(ofMap),
  bag: v.strictObject(ofText),
  transformer: v.strictObject({ ...ofText, transformer }),
  homonyms: v.strictObject({ ...ofText, transformer, homonyms }),
  vision: v.strictObject({ ...ofMap, vision, views }),
};

/** Throws ConfigError for fields that do not go with each other. */
export function checkClipFields({ text, vision }: ClipPretraining): void {
  for (const [side, { width, heads }] of Object.entries({ text, vision })) {
    if (width % heads === 0) continue;
    throw fieldError(`${side}.heads`, `a divisor of the width ${width}`, heads);
  }
  const { imageSize, patchSize, heads, width } = vision;
  if (patchSize > imageSize) {
    throw fieldError('vision.patchSize', `at most the image's side ${imageSize}`, patchSize);
  }
  if (!vision.beginAsPixels) return;
  const patches = Math.floor(imageSize / patchSize) ** 2;
  if (heads !== patches) {
    throw fieldError('vision.heads', `${patches}, one for each patch, to begin as the pixels`, heads);
  }
  // Each patch has its axes in a token, and each position a mark.
  if (width / heads + patches + 1 > width) {
    throw fieldError('vision.width', `more, for marks of ${patches + 1} positions`, width);
  }
  if (patchSize % patchSquares !== 0) {
    throw fieldError('vision.patchSize', `a multiple of ${patchSquares} to begin as the pixels`, patchSize);
  }
}

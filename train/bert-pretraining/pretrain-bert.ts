// Pretrains the tiny BERT of the embedded default and writes it in Hugging Face's layout: senses of WordNet outside of the
// knowledge base, as an entity's text and as a mention's, are told apart by the cosine of their [CLS], all senses of a word in
// one batch. Batches are by turns in the two forms that baselines read texts in: as pairs, and between BLINK's tags. An encoder
// this small knows no other form than what it was taught. Its vocabulary is trained on the texts that the tiny CLIP's is trained
// on. No mention of any split is looked at, but for the figures on dev.

import { readDataset } from '../../data/dataset.ts';
import { readMarkedSentences } from '../../data/openconcepts-builder/marked-sentences.ts';
import { packPair } from '../../data/text/wordpiece/packing.ts';
import { createWordPiece, type WordPiece } from '../../data/text/wordpiece/wordpiece.ts';
import { trainWordPiece } from '../../data/text/wordpiece/wordpiece-trainer.ts';
import { noGrad } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import { l2Normalize } from '../../engine/ops/l2-normalize.ts';
import { slice } from '../../engine/ops/shape.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { hashOf } from '../../files/fingerprint.ts';
import { BlinkTexts } from '../../model/baselines/blink/blink-texts.ts';
import { Bert, type BertConfig } from '../../model/bert/bert.ts';
import { loadBert } from '../../model/bert/load-bert.ts';
import { clsOf, type PackedText } from '../../model/bert/packed-texts.ts';
import { saveBert } from '../../model/bert/save-bert.ts';
import { initialise } from '../../model/initialise.ts';
import type { ParameterSource } from '../../model/parameter-source.ts';
import type { Side } from '../../ranking/scorer.ts';
import { type PhaseStep, trainPhase, type Workplace } from '../clip-pretraining/phase.ts';
import type { Rows } from '../clip-pretraining/principal-axes.ts';
import { pretrainingCorpus } from '../clip-pretraining/text/corpus.ts';
import { TextBatches } from '../clip-pretraining/text/text-batches.ts';
import { contrast } from '../clip-pretraining/text/text-loss.ts';
import { readWordNets } from '../clip-pretraining/text/word-nets.ts';
import { type DevTexts, devTexts, type ZeroShot, zeroShot } from '../clip-pretraining/text/zero-shot.ts';
import { checkConfig } from '../config/check.ts';
import type { TrainingHooks } from '../hooks.ts';
import { RandomStream } from '../random-stream.ts';
import { reserveFolder } from '../reserve-folder.ts';
import { type BertPretraining, bertSchema, checkBertFields } from './bert-schema.ts';

/** What a BERT was pretrained on, how large it is, and how well it finds dev's entities by cosine before and after. */
export interface PretrainedBert {
  folder: string;
  /** Texts that the vocabulary was trained on. */
  texts: number;
  /** Words of several senses. */
  words: number;
  tokens: number;
  parameters: number;
  before: ByForm<ZeroShot>;
  after: ByForm<ZeroShot>;
}

/** The forms of texts: a pair of segments, as most baselines read them, and between tags, as BLINK does. */
const forms = ['pair', 'tagged'] as const;
type ByForm<T> = Readonly<Record<(typeof forms)[number], T>>;

/** A text as a side reads it, from `word : sentence` or `name : attributes`. */
type Pack = (line: string, side: Side) => PackedText;

function packings(tokenizer: WordPiece, length: number): ByForm<Pack> {
  const blink = new BlinkTexts(tokenizer, { mention: length, entity: length });
  const parted = (line: string) => {
    const end = line.indexOf(' : ');
    return { name: line.slice(0, end), context: line.slice(end + 3) };
  };
  return {
    pair: (line) => {
      const { name, context } = parted(line);
      return packPair(tokenizer, tokenizer.encode(name), tokenizer.encode(context), length);
    },
    tagged: (line, side) => blink.pack(side, { texts: [parted(line)] })[0]!,
  };
}

/** The encoder with the scale of its similarities, all that the training changes. */
class Student {
  readonly logitScale: Tensor;
  readonly bert: Bert;

  constructor(p: ParameterSource, config: BertConfig, logitScale: number) {
    this.logitScale = p.parameter('logit_scale', [], { value: logitScale });
    this.bert = new Bert(p, config);
  }
}

/** Texts that are encoded at a time where nothing is trained. */
const chunkTexts = 512;

/**
 * Pretrains on a device and writes `out.folder`; checkpoints lie in `run.folder`, from which a call with `resume` goes on.
 * Throws ConfigError for fields, InputError for data that is missing, and what `fit` throws.
 */
export async function pretrainBert(
  config: BertPretraining,
  device: Device,
  hooks: TrainingHooks = {},
): Promise<PretrainedBert> {
  const checked = checkConfig(bertSchema, config);
  checkBertFields(checked);
  const { corpus: about, text, loss, contrast: settings, training, out, run } = checked;
  const dataset = await readDataset(checked.data.folder);
  const wordNets = readWordNets(checked.wordnet.folder);
  const sentences = about.sentences === '' ? [] : await readMarkedSentences(about.sentences);
  const corpus = pretrainingCorpus(
    dataset,
    wordNets,
    { limit: about.texts, contextWords: about.contextWords, sentences, mentions: false },
    new RandomStream(about.seed),
  );
  const tokens = trainWordPiece(corpus.texts, { vocabularySize: text.vocabulary });
  const tokenizer = createWordPiece(tokens);
  const packing = packings(tokenizer, text.length);
  const dev = devTexts(dataset.entities, dataset.splits.dev);
  const judge = async (bert: Bert, pack: Pack) =>
    judgeBert(device, bert, dev, {
      mentions: dev.mentions.map((line) => pack(line, 'mention')),
      entities: dev.entities.map((line) => pack(line, 'entity')),
    });
  const judgeAll = async (bert: Bert): Promise<ByForm<ZeroShot>> => ({
    pair: await judge(bert, packing.pair),
    tagged: await judge(bert, packing.tagged),
  });

  const shape: BertConfig = {
    width: text.width,
    hidden: 4 * text.width,
    heads: text.heads,
    layers: text.layers,
    vocabulary: tokens.length,
    maxLength: text.length,
    types: 2,
    eps: 1e-12,
  };
  const removeFolder = await reserveFolder(out.folder);
  const place: Workplace = {
    device,
    folder: run.folder,
    seed: training.seed,
    checkpointSteps: training.checkpointSteps,
    hooks,
  };
  const { module, tensors } = initialise(
    device,
    new Random(training.seed),
    (p) => new Student(p, shape, Math.log(loss.logitScale)),
  );
  let before: ByForm<ZeroShot>;
  try {
    before = await judgeAll(module.bert);
    await trainPhase(place, {
      name: 'contrast',
      settings,
      schedule: 'cosine',
      adam: { beta2: 0.98, eps: 1e-6 },
      parameters: tensors,
      schema: bertSchema,
      config: checked,
      madeFrom: { corpus: hashOf(corpus.texts) },
      *batches(): Generator<PhaseStep, never> {
        const others = { contexts: 0, entities: 0, sentences: 0, sentenceContexts: 0 };
        const counts = { pairs: settings.sensePairs, spoken: 0, others };
        const batches = new TextBatches(corpus, counts, new RandomStream(training.seed));
        for (let turn = 0; ; turn++) {
          const { rows, senses } = batches.next();
          const pack = packing[forms[turn % forms.length]!];
          const texts = rows.map((row, i) =>
            pack(corpus.texts[row]!, i < senses.count ? 'entity' : 'mention'),
          );
          yield {
            examples: texts.length,
            loss: () => {
              const vectors = vectorsOf(module.bert, texts);
              const [entities, mentions] = [0, senses.count].map((first) =>
                slice(vectors, 0, first, senses.count),
              );
              return contrast(mentions!, entities!, senses.meanings, module.logitScale, loss.maxLogitScale);
            },
          };
        }
      },
      validate: async () => (await judge(module.bert, packing.pair)).all,
    });
    await saveBert(out.folder, shape, tensors, tokens);
  } catch (error) {
    await removeFolder();
    throw error;
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
  // Judged is what was written.
  const written = await loadBert(device, out.folder);
  try {
    return {
      folder: out.folder,
      texts: corpus.texts.length,
      words: corpus.words.length,
      tokens: tokens.length,
      parameters: [...written.tensors.values()].reduce((sum, { size }) => sum + size, 0),
      before,
      after: await judgeAll(written.module),
    };
  } finally {
    for (const tensor of written.tensors.values()) tensor.release();
  }
}

/** The [CLS] of texts, at length 1: [texts, d]. */
function vectorsOf(bert: Bert, texts: readonly PackedText[]): Tensor {
  return l2Normalize(clsOf(bert, texts));
}

/** How well dev's mentions find their entities by the cosine of texts. */
async function judgeBert(
  device: Device,
  bert: Bert,
  dev: DevTexts,
  packed: Record<'mentions' | 'entities', readonly PackedText[]>,
): Promise<ZeroShot> {
  const rowsOf = async (texts: readonly PackedText[]): Promise<Rows> => {
    const { width } = bert.config;
    const values = new Float32Array(texts.length * width);
    for (let first = 0; first < texts.length; first += chunkTexts) {
      const some = texts.slice(first, first + chunkTexts);
      const read = device.scope(() => device.read<'f32'>(noGrad(() => vectorsOf(bert, some))));
      values.set(await read, first * width);
    }
    return { values, width };
  };
  return zeroShot(device, dev, await rowsOf(packed.mentions), await rowsOf(packed.entities));
}

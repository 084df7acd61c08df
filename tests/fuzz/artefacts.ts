// Every kind of file that dsmip writes and reads again, small, with what reads it: what fuzzing damages.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeEntityRecords } from '../../data/entity-records.ts';
import { loadTokenizer } from '../../data/text/tokenizer-files.ts';
import { keptTable } from '../../encoding/feature-cache.ts';
import type { TableToMake } from '../../encoding/features.ts';
import { Adam } from '../../engine/nn/adam.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { listAblations, runAblations } from '../../eval/ablation/ablations.ts';
import { readComparison, writeComparison } from '../../eval/compare/comparison-file.ts';
import { openTrainings, readRanks, writeMadeFrom, writeRanks } from '../../eval/compare/kept-results.ts';
import { readRun } from '../../eval/report/read-run.ts';
import { metricsVersion } from '../../eval/results.ts';
import { runStages } from '../../eval/stages.ts';
import { contentStamp } from '../../files/content-stamp.ts';
import { checkedJson } from '../../files/json/checked-json.ts';
import { readCalibration, writeCalibration } from '../../link/calibration.ts';
import { type Change, openJournal, readChanges } from '../../link/changes/journal.ts';
import { openRecords } from '../../link/index-folder.ts';
import { checkInputs, openModelBase } from '../../link/model-base.ts';
import {
  loadParameters,
  readAbout,
  restoreCheckpoint,
  saveCheckpoint,
  saveParameters,
} from '../../model/checkpoint.ts';
import { Clip } from '../../model/clip/clip.ts';
import { saveClip } from '../../model/clip/save-clip.ts';
import { initialise } from '../../model/initialise.ts';
import { buildIndex } from '../../ranking/index/builder.ts';
import { openIndex } from '../../ranking/index/source.ts';
import { range } from '../../ranking/sources.ts';
import { VectorFile, vectorKey } from '../../train/clip-pretraining/vector-file.ts';
import { readPreset } from '../../train/config/presets.ts';
import { MetricsLog } from '../../train/metrics-log.ts';
import { tinyMerges, tinyVocabulary } from '../data/text/tiny-vocabulary.ts';
import { denseScorer, numberedEntities } from '../support/dense-scorer.ts';
import { device } from '../support/device.ts';
import { generator } from '../support/random.ts';

export interface Artefact {
  name: string;
  /** The files that may be damaged. */
  files: readonly string[];
  /**
   * Reads all of it, as the program does, and gives what came of it as text; `onWarning` is told of what was made again. What
   * is made again is not compared.
   */
  read(onWarning: (line: string) => void): Promise<string>;
}

/** Makes all of them in a folder. */
export async function makeArtefacts(root: string): Promise<Artefact[]> {
  const all: Artefact[] = [];
  for (const make of [
    checkpoints,
    index,
    journal,
    featureTables,
    calibration,
    results,
    stages,
    ablations,
    comparison,
    keptResults,
    vectors,
    clipFolder,
  ]) {
    const folder = join(root, make.name);
    mkdirSync(folder);
    all.push(...(await make(folder)));
  }
  return all;
}

const numbers = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i));

async function checkpoints(folder: string): Promise<Artefact[]> {
  const [best, last] = ['best', 'last'].map((name) => join(folder, `${name}.safetensors`)) as [
    string,
    string,
  ];
  // Of several blocks, and of less than one.
  const parameters = new Map([
    ['unit.weight', device.parameter([150, 300], numbers(45_000), 'weight')],
    ['unit.bias', device.parameter([7], numbers(7), 'bias')],
  ]);
  const adam = new Adam([...parameters.values()], { lr: 0.1 });
  const training = {
    config: { training: { epochs: 3 } },
    madeFrom: { inputs: 'abc' },
    decidingValues: () => new Map(),
    parameters,
    adams: { adam },
  };
  await saveParameters(best, training, { epoch: 2 });
  const position = { epoch: 3, step: 30, bestEpoch: 2, bestMrr: 50 };
  await saveCheckpoint(last, training, position, new Random(1));
  const values = async () => {
    const read = await Promise.all([...parameters.values()].map((tensor) => tensor.read()));
    return read.map((own) => `${own}`).join();
  };
  return [
    {
      name: 'best.safetensors',
      files: [best],
      async read() {
        const about = JSON.stringify(await readAbout(best));
        await loadParameters(best, parameters);
        return about + (await values());
      },
    },
    {
      name: 'last.safetensors',
      files: [last],
      async read() {
        const restored = await restoreCheckpoint(last, training);
        const { m, v } = await adam.state();
        return JSON.stringify([restored, [...m].map(String), [...v].map(String)]) + (await values());
      },
    },
  ];
}

async function index(folder: string): Promise<Artefact[]> {
  const [count, d] = [40, 8];
  const random = generator(5);
  const vectors = Float32Array.from({ length: count * d }, () => random());
  const scorer = denseScorer('dense', d, { mention: vectors, entity: vectors });
  const entities = Array.from({ length: count }, (_, i) => ({
    qid: `Q${i}`,
    name: i % 2 ? `river ${i}` : `Mount ${i}`,
    aliases: [`the ${i}th`],
    attributes: 'x'.repeat(i % 3),
    images: [],
  }));
  const fingerprints = { model: 'a' };
  await buildIndex({
    ...numberedEntities(count),
    writeRecords: (path) => writeEntityRecords(path, entities),
    scorer,
    folder,
    dtype: 'float16',
    shard: 16,
    fingerprints,
  });
  return [
    {
      name: 'index',
      files: readdirSync(folder).map((name) => join(folder, name)),
      async read() {
        const opened = await openIndex(folder, scorer, fingerprints);
        try {
          const similarities = await opened.loadSimilarities(scorer, 0, count);
          const load = await opened.load([scorer], range(0, count));
          const queries = Float32Array.from({ length: d }, (_, i) => i + 1);
          const retrieved = await device.scope(() =>
            device.read<'f32'>(similarities(device.tensor([1, d], queries))),
          );
          const sides = await device.scope(() => device.read<'f32'>(load()[0] as Tensor));
          const found = `${retrieved} ${sides}`;
          const flags = await opened.hasNoImage(range(0, count));
          const records = await openRecords(folder, opened.head);
          try {
            const told: unknown[] = [];
            for (let row = 0; row < count; row++) told.push(await records.read(row));
            for await (const qid of records.qids()) told.push(qid);
            for (const { name } of entities) told.push(await records.matches(name));
            told.push(await records.matches('rivre 3'));
            return JSON.stringify([opened.head, told, found, `${flags}`]);
          } finally {
            await records.close();
          }
        } finally {
          await opened.close();
        }
      },
    },
  ];
}

async function journal(folder: string): Promise<Artefact[]> {
  const path = join(folder, 'changes.log');
  const put = (i: number): Change => ({
    put: { qid: `Q${i}`, name: 'a name', aliases: [], attributes: '', image: new Uint8Array(20).fill(i) },
  });
  const open = await openJournal(path);
  for (let i = 0; i < 12; i++) await open.append(i % 5 === 4 ? [{ delete: 'Q1' }] : [put(i), put(i + 1)]);
  await open.close();
  return [
    {
      name: 'changes.log',
      files: [path],
      async read() {
        const found: Change[] = [];
        for await (const some of readChanges(path)) found.push(...some);
        // A writer cuts off what nobody was told of, and only that.
        await (await openJournal(path)).close();
        for await (const some of readChanges(path)) found.push(...some);
        return JSON.stringify(found);
      },
    },
  ];
}

async function featureTables(folder: string): Promise<Artefact[]> {
  const table: TableToMake = {
    offsets: Int32Array.of(0, 3, 5, 9),
    width: 8,
    projection: 4,
    async *rows() {
      yield { tokens: numbers(72), embeds: numbers(12) };
    },
    // A table with rows that failed is never shared, so that its file is read each time.
    failures: { rows: () => [1], remain: async () => true },
  };
  const artefacts: Artefact[] = [];
  for (const [name, most] of [
    ['0', 100],
    ['1', 1e6],
  ] as const) {
    const key = name.repeat(32);
    const read: Artefact['read'] = async (onWarning) => {
      const found = await keptTable({ cache: folder, onWarning }, () => key, table, most);
      const tokens = new Float32Array(72);
      if (found.tokens instanceof Float32Array) tokens.set(found.tokens);
      else found.tokens.read(0, tokens);
      return JSON.stringify([`${tokens}`, `${found.embeds}`, `${found.offsets}`]);
    };
    await read(() => {});
    const file = join(folder, `${key}.safetensors`);
    artefacts.push({
      name: `feature cache, ${most > 100 ? 'in memory' : 'in its file'}`,
      files: [file],
      read,
    });
  }
  return artefacts;
}

async function calibration(folder: string): Promise<Artefact[]> {
  const inKnowledgeBase = { constant: 0.5, score: 1, gap: 2, exact: 3, fuzzy: 4 };
  const value = {
    fingerprint: 'abc',
    temperature: 2,
    names: { exact: 5, fuzzy: 4 },
    inKnowledgeBase,
    fit: { mentions: 3 },
  };
  await writeCalibration(folder, 'dsmip', value);
  const read = async () => JSON.stringify(await readCalibration(folder, 'dsmip', 'abc'));
  return [{ name: 'calibration.json', files: [join(folder, 'calibration.json')], read }];
}

const metrics = { 'hits@1': 1, 'hits@3': 2, 'hits@5': 3, 'hits@10': 4, 'hits@20': 5, mrr: 6, mr: 7 };

async function results(folder: string): Promise<Artefact[]> {
  mkdirSync(join(folder, 'text'));
  const log = await MetricsLog.open(join(folder, 'text', 'metrics.jsonl'), 0);
  for (let step = 1; step <= 20; step++) log.add({ step, epoch: 1, loss: 1 / step });
  log.add({ step: 20, epoch: 1, dev: metrics });
  const parameters = new Map([['w', device.parameter([3], numbers(3), 'w')]]);
  const best = join(folder, 'text', 'best.safetensors');
  const training = { config: {}, madeFrom: {}, parameters, adams: {}, decidingValues: () => new Map() };
  await saveParameters(best, training, { epoch: 1 });
  const last = join(folder, 'text', 'last.safetensors');
  await saveCheckpoint(last, training, { epoch: 1, step: 20, bestEpoch: 1, bestMrr: 6 }, new Random(1));
  const predictions = join(folder, 'predictions.jsonl');
  const lines = Array.from({ length: 9 }, (_, mention) => ({
    mention,
    word: 'bat',
    answer: 'Q1',
    rank: mention + 1,
    ranks: { text: 1 },
    expert: 'text',
    top: [{ qid: 'Q1', name: 'bat', score: 0.5, expert: 'text' }],
  }));
  writeFileSync(predictions, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const value = {
    version: metricsVersion,
    split: 'dev',
    mentions: 9,
    entities: 16,
    systems: { text: metrics },
    kinds: {},
    gate: null,
    confidence: {},
    parameters: { text: 3 },
    seconds: {},
    device: 'none',
    madeFrom: { inputs: 'abc', checkpoints: { text: await contentStamp(best) } },
    predictions: await contentStamp(predictions),
  };
  writeFileSync(join(folder, 'metrics.json'), checkedJson(value, 2));
  const read = async () => JSON.stringify(await readRun(folder));
  const files = ['metrics.json', 'predictions.jsonl', 'text/metrics.jsonl', 'text/best.safetensors'];
  return [{ name: 'results of a run', files: files.map((file) => join(folder, file)), read }];
}

async function stages(folder: string): Promise<Artefact[]> {
  const names = ['a', 'b', 'c'];
  const own = names.map((name) => ({ name, settings: 'x', writes: [name], resumes: true, needs: [] }));
  const read: Artefact['read'] = async (onWarning) => {
    const done: string[] = [];
    const seconds = await runStages(
      folder,
      own,
      { resume: true, madeFrom: 'y', atOnce: 1 },
      {
        async run({ name }) {
          writeFileSync(join(folder, name), '');
        },
        onFinished: ({ name }) => done.push(name),
        onWarning,
      },
    );
    return JSON.stringify([done, seconds]);
  };
  await read(() => {});
  return [{ name: 'stages.json', files: [join(folder, 'stages.json')], read }];
}

async function ablations(folder: string): Promise<Artefact[]> {
  const options = {
    preset: await readPreset('openconcepts'),
    run: folder,
    rows: ['finetune'] as const,
    seeds: [1],
    split: 'dev' as const,
    fraction: 0.1,
    training: {},
    gate: {},
  };
  const value = {
    version: metricsVersion,
    split: 'dev',
    mentions: 9,
    entities: 16,
    systems: { multimodal: metrics },
    kinds: {},
    gate: null,
    confidence: {},
    parameters: {},
    seconds: {},
    device: '',
    madeFrom: { inputs: '', checkpoints: {} },
    predictions: '',
  };
  await runAblations(options, {
    async run(cell) {
      mkdirSync(cell, { recursive: true });
      writeFileSync(join(cell, 'metrics.json'), checkedJson(value));
    },
  });
  const read = async () => {
    const cells = await runAblations(options, {
      run: async () => {
        throw new Error('a finished cell was filled again');
      },
    });
    return JSON.stringify([cells, (await listAblations(options)).map(({ isFinished }) => isFinished)]);
  };
  return [{ name: 'ablations.json', files: [join(folder, 'ablations.json')], read }];
}

async function comparison(folder: string): Promise<Artefact[]> {
  const path = join(folder, 'compare.json');
  const costs = { train: 1, encode: 2, rank: 3, mention: 4, trainBytes: 5, rankBytes: 6 };
  const system = {
    name: 'clip',
    title: 'CLIP',
    contender: 'clip',
    parameters: 1,
    recall: null,
    bytesPerEntity: 2,
    mean: { all: metrics },
    spread: null,
    costs,
    runs: [{ seed: 1, metrics: { all: metrics }, costs }],
  };
  const about = { data: 'toy', entities: 16, seeds: [1], trainFraction: 1, epochs: 0, device: 'none' };
  await writeComparison(path, {
    ...about,
    split: 'dev',
    mentions: { all: 9 },
    systems: [system],
    pairs: [{ a: 'clip', b: 'clip', difference: 0, low: -1, high: 1, p: 1, adjusted: 1 }],
  });
  return [
    { name: 'compare.json', files: [path], read: async () => JSON.stringify(await readComparison(path)) },
  ];
}

async function keptResults(folder: string): Promise<Artefact[]> {
  const place = { folder, name: 'clip' };
  const row = {
    title: 'CLIP',
    ranks: [1, 2, 3],
    parameters: 1,
    recall: null,
    bytesPerEntity: 2,
    seconds: { train: 1, encode: 2, rank: 3 },
    peakBytes: { train: 1, rank: 2 },
  };
  const write = async () => {
    await writeMadeFrom(place, { version: 2, fingerprint: 'abc', peakBytes: { clip: 5 } });
    await writeRanks(place, 'abc', { clip: row });
  };
  await write();
  const trained = join(folder, 'clip', 'best.safetensors');
  mkdirSync(join(folder, 'clip'));
  writeFileSync(trained, '');
  return [
    {
      name: "a contender's results",
      files: ['clip.made-from.json', 'clip.ranks.json'].map((name) => join(folder, name)),
      async read(onWarning) {
        const madeFrom = await openTrainings(place, 'abc', ['clip'], onWarning);
        const ranks = await readRanks(place, 'abc', onWarning);
        await contentStamp(trained);
        return JSON.stringify([madeFrom, ranks]);
      },
    },
  ];
}

async function vectors(folder: string): Promise<Artefact[]> {
  const path = join(folder, 'teacher.vectors');
  const width = 6;
  const texts = Array.from({ length: 30 }, (_, i) => `text ${i}`);
  const rowOf = (i: number) => new Uint16Array(width).fill(100 + i);
  const read: Artefact['read'] = async (onWarning) => {
    const file = await VectorFile.open(path, width, onWarning);
    try {
      // What is missing is made again, as the teacher does.
      for (const [i, text] of texts.entries()) {
        if (!file.rows.has(vectorKey(text))) await file.append([vectorKey(text)], rowOf(i));
      }
      return JSON.stringify(texts.map((text) => `${file.rows.get(vectorKey(text))}`));
    } finally {
      await file.close();
    }
  };
  await read(() => {});
  return [{ name: 'vectors of a teacher', files: [path], read }];
}

async function clipFolder(folder: string): Promise<Artefact[]> {
  const stack = { width: 8, hidden: 16, heads: 2, layers: 1 };
  const config = {
    text: { ...stack, vocabulary: Object.keys(tinyVocabulary).length, maxLength: 24 },
    vision: { ...stack, imageSize: 16, patchSize: 8 },
    projection: 8,
  };
  const ids = { bosId: tinyVocabulary['<|startoftext|>']!, eosId: tinyVocabulary['<|endoftext|>']! };
  const { tensors } = initialise(device, new Random(3), (p) => new Clip(p, config));
  await saveClip(folder, config, tensors, { vocab: tinyVocabulary, merges: tinyMerges, ...ids });
  for (const tensor of tensors.values()) tensor.release();
  const whole = await openModelBase({ clip: folder, device });
  const madeFrom = { clip: whole.features.clipHash, tokenizer: whole.tokenizerHash };
  whole.close();
  const names = ['config.json', 'vocab.json', 'merges.txt', 'model.safetensors'];
  return [
    {
      name: 'a CLIP that something was trained on',
      files: names.map((name) => join(folder, name)),
      async read() {
        const base = await openModelBase({ clip: folder, device });
        try {
          checkInputs('checkpoint', { madeFrom }, base);
          const tokenizer = await loadTokenizer(folder);
          const { ids } = tokenizer.encodeBatch(['the mouse ran away'], 24);
          tokenizer.free();
          return `${JSON.stringify(base.clip.config)}${ids}`;
        } finally {
          base.close();
        }
      },
    },
  ];
}

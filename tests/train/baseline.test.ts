// Baselines trained, evaluated and indexed as systems of a run: an aborted training goes on to the same bits, the session's CLIP
// stays as it is, evaluation ranks by what a run has, zero-shot CLIP needs no run and no data set.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Random } from '../../engine/random.ts';
import { indexKnowledgeBase } from '../../eval/build-index.ts';
import { evaluate } from '../../eval/evaluate.ts';
import { readResults, resultTable } from '../../eval/results.ts';
import { writeReport } from '../../eval/write-report.ts';
import { ownEncoders } from '../../link/baselines/own-encoders.ts';
import { openLinker } from '../../link/linker.ts';
import { loadLinkingModel } from '../../link/linking-model.ts';
import { openModelBase } from '../../link/model-base.ts';
import { prepareSplit, rankPrepared } from '../../link/split.ts';
import { trainedTensors } from '../../model/baselines/baseline.ts';
import { buildBaseline } from '../../model/baselines/registry.ts';
import { openIndex } from '../../ranking/index/source.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { preparedMentions } from '../../ranking/sources.ts';
import { baselineBatches, baselineGradients, type StepBatch } from '../../train/baselines/baseline-step.ts';
import { trainBaseline } from '../../train/baselines/train-baseline.ts';
import { checkConfig } from '../../train/config/check.ts';
import { indexSchema } from '../../train/config/schemas.ts';
import { trainExpert } from '../../train/experts/train-expert.ts';
import type { WorkEvent } from '../../train/hooks.ts';
import { scheduleFactor } from '../../train/schedule.ts';
import { device } from '../support/device.ts';
import { assertClose } from '../support/gradient.ts';
import {
  bytesOf,
  losses,
  makeToy,
  openToy,
  refusal,
  removeToy,
  runFolder,
  stopAfter,
  toyBaseline,
  toyEvaluation,
  toyExpert,
} from '../support/toy-run.ts';

const toy = await makeToy(device);
const session = await openToy(toy, device);
test.after(() => {
  session.close();
  removeToy(toy);
});

const fields = {
  'training.epochs': 3,
  'training.learningRate': 0.003,
  'training.warmup': 0.2,
  'training.schedule': 'linear',
  'training.weightDecay': 0.01,
};

for (const system of ['clip-head', 'clip']) {
  test(`${system}: aborted and resumed, it ends with the same bits`, async () => {
    const tower = session.clip.tensors.get('text_projection.weight')!;
    const before = await device.read<'f32'>(tower);
    const whole = await trainBaseline(await toyBaseline(toy, 'whole', system, fields), session);
    const config = await toyBaseline(toy, 'stopped', system, fields);
    let stopped = false;
    await trainBaseline(config, session, stopAfter(7)).catch(() => {
      stopped = true;
    });
    assert.ok(stopped);
    const [ours, theirs] = ['stopped', 'whole'].map((run) => join(runFolder(toy, run), system)) as [
      string,
      string,
    ];
    assert.not.ok(existsSync(ours));
    const events: WorkEvent[] = [];
    const onEvent = (event: WorkEvent) => events.push(event);
    const resumed = await trainBaseline(config, session, { resume: true, onEvent });
    assert.ok(events.some(({ type }) => type === 'resumed'));
    assert.is(resumed.mrr, whole.mrr);
    for (const file of ['best.safetensors', 'last.safetensors']) {
      assert.ok(bytesOf(ours, file) === bytesOf(theirs, file), file);
    }
    assert.equal(losses(ours), losses(theirs));
    const all = losses(ours) as { loss?: number }[];
    const steps = all.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
    assert.ok(steps.at(-1)! < steps[0]!, `${steps}`);
    assert.equal(await device.read<'f32'>(tower), before);
    assert.not.ok(tower.requiresGrad);
  });
}

for (const system of ['clip', 'mimic']) {
  test(`${system}: a batch in chunks, of samples that share images, has the gradients of the whole`, async () => {
    const parts = { device, clip: session.clip, own: ownEncoders(session), random: new Random(1) };
    const baseline = await buildBaseline(system, parts);
    const batch = {
      mentions: [0, 1, 2, 3, 4],
      mentionImages: [0, 3, 3, 5, 3],
      entities: [1, 2, 3, 4, 5],
      entityImages: [6, 7, 7, 0, 6],
    };
    const { features, corpus } = session;
    const inputs = {
      mention: await baseline.trainingInputs('mention', corpus.mentions.train, [], features),
      entity: await baseline.trainingInputs('entity', corpus.entities, [], features),
    };
    const { value } = await baselineBatches(baseline.pixelSource(features), inputs, [batch]).next();
    const input = value as StepBatch;
    const trained = trainedTensors(baseline);
    const parameters = [...trained.values()];
    const names = ['loss', ...trained.keys()];
    const gradientsOf = async (chunk: number) => {
      const reads = device.scope(() => {
        const { loss, gradients } = baselineGradients(baseline, input, chunk, new Random(2));
        return [loss, ...parameters.map((tensor) => gradients.get(tensor)!)].map((x) =>
          device.read<'f32'>(x),
        );
      });
      return Promise.all(reads);
    };
    const whole = await gradientsOf(0);
    for (const chunk of [1, 2, 5]) {
      for (const [i, gradient] of (await gradientsOf(chunk)).entries()) {
        // Gradients of key biases are rounding alone.
        assertClose(gradient, whole[i]!, 1e-4, `chunk ${chunk}, ${names[i]}`, 1e-2);
      }
    }
    for (const tensor of parameters) tensor.release();
  });
}

test('what is loaded again ranks as its best epoch did', async () => {
  for (const system of ['clip-head', 'clip']) {
    const model = await loadLinkingModel(session, runFolder(toy, 'whole'), system);
    assert.is(model.scorer.name, system);
    const { metrics } = await rankPrepared(model.scorer, await prepareSplit(session, [model.scorer], 'dev'));
    const epochs = losses(join(runFolder(toy, 'whole'), system)) as { dev?: { mrr: number } }[];
    assert.is(metrics.mrr, Math.max(...epochs.flatMap(({ dev }) => (dev ? [dev.mrr] : []))));
    model.release();
  }
});

test('evaluation ranks by the baselines of a run, and by the system that is named', async () => {
  const run = runFolder(toy, 'whole');
  const evaluated = async (overrides: Readonly<Record<string, unknown>>) => {
    const config = await toyEvaluation(toy, 'whole', { 'evaluation.split': 'dev', ...overrides });
    const { metrics, predictions } = await evaluate(config, session);
    const [line] = readFileSync(predictions, 'utf8').split('\n');
    const { rank, ranks } = JSON.parse(line!) as { rank: number; ranks: Record<string, number> };
    return { results: await readResults(metrics), rank, ranks };
  };
  const alone = await evaluated({});
  assert.equal(Object.keys(alone.results.systems), ['clip-head', 'clip']);
  assert.ok(alone.results.parameters['clip']! > alone.results.parameters['clip-head']!);
  assert.match(resultTable(alone.results).join('\n'), /CLIP, trained head .*\n *CLIP, fine-tuned/);
  assert.is(alone.rank, alone.ranks['clip']);

  const named = await evaluated({ 'evaluation.system': 'clip-zero-shot' });
  assert.equal(Object.keys(named.results.systems), ['clip-head', 'clip', 'clip-zero-shot']);
  assert.is(named.rank, named.ranks['clip-zero-shot']);
  assert.equal(named.results.systems['clip'], alone.results.systems['clip']);

  await trainExpert(await toyExpert(toy, 'whole', 'text'), session);
  const both = await evaluated({});
  assert.equal(Object.keys(both.results.systems), ['clip-head', 'clip', 'text']);
  assert.is(both.rank, both.ranks['text']);
  const head = await evaluated({ 'evaluation.system': 'clip-head' });
  assert.equal(Object.keys(head.results.systems), ['text', 'clip', 'clip-head']);
  assert.is(head.rank, head.ranks['clip-head']);
  for (const [config, message] of [
    [await toyEvaluation(toy, 'whole', { 'evaluation.system': 'dsmip' }), `${run}: has no dsmip`],
    [
      await toyEvaluation(toy, 'nowhere'),
      /nowhere: no SYSTEM\/best\.safetensors; train an expert or a baseline/,
    ],
  ] as const) {
    assert.match((await refusal(() => evaluate(config, session))).message, message);
  }
});

test('zero-shot CLIP is evaluated in a run that is not there yet; the report calls baselines by their titles', async () => {
  const zeroShot = { 'evaluation.system': 'clip-zero-shot' };
  const { metrics } = await evaluate(await toyEvaluation(toy, 'new', zeroShot), session);
  assert.equal(Object.keys((await readResults(metrics)).systems), ['clip-zero-shot']);
  const { data, run } = await toyEvaluation(toy, 'whole');
  await writeReport({ data, run });
  const page = readFileSync(join(runFolder(toy, 'whole'), 'report.html'), 'utf8');
  for (const text of ['CLIP, fine-tuned', 'CLIP, trained head', 'Text expert', 'baseline.system clip-head']) {
    assert.ok(page.includes(text), text);
  }
});

test('zero-shot CLIP indexes JSON lines without a run and a data set, and ranks from there as it does directly', async () => {
  const [kb, out] = [join(toy.folder, 'kb.jsonl'), join(toy.folder, 'my-kb')];
  const lines = session.dataset.entities.map(({ qid, name, attributes, images }) =>
    JSON.stringify({ id: qid, name, attributes, images: images.map((path) => path.split('/').at(-1)) }),
  );
  writeFileSync(kb, `${lines.join('\n')}\n`);
  const base = await openModelBase({ clip: toy.clip, device });
  const config = checkConfig(indexSchema, {
    data: { folder: join(toy.folder, 'no-data') },
    clip: { folder: toy.clip },
    run: { folder: join(toy.folder, 'no-run') },
    index: { system: 'clip-zero-shot', dtype: 'float32', shard: 5 },
    knowledgeBase: { source: kb, images: join(toy.data, 'kb_image') },
    out: { folder: out },
  });
  const { head } = await indexKnowledgeBase(config, base);
  assert.equal([head.entities, head.scorer], [16, 'clip-zero-shot']);
  assert.equal(Object.keys(head.origin), ['system', 'clip']);
  const { scorer, fingerprint } = await loadLinkingModel(base, null, 'clip-zero-shot');
  const split = await prepareSplit(session, [scorer], 'dev');
  const entities = await openIndex(out, scorer, { model: fingerprint! });
  const pass = { systems: [scorer], mentions: preparedMentions(split.mentions), entities, gold: split.gold };
  const { systems } = await rankMentions(pass);
  assert.equal(systems['clip-zero-shot']!.ranks, (await rankPrepared(scorer, split)).ranks);
  await entities.close();
  base.close();

  const linker = await openLinker({ index: out, device });
  const mentions = session.dataset.splits.dev;
  const linked = await linker.link(mentions.map(({ word, sentence, image }) => ({ word, sentence, image })));
  for (const [i, rank] of systems['clip-zero-shot']!.ranks.entries()) {
    const { qid } = session.dataset.entities[mentions[i]!.entity]!;
    if (rank === 1) assert.is(linked[i]![0]!.qid, qid);
    else assert.is.not(linked[i]![0]!.qid, qid);
  }
  await linker.close();
});

test('a system is refused that there is not, that a run lacks or that is of another CLIP', async () => {
  const run = runFolder(toy, 'whole');
  for (const [folder, system, message] of [
    [run, 'blip', /^system blip: expected one of dsmip, text, visual, multimodal, .*clip-zero-shot, /],
    [run, 'visual', /: no visual\/best\.safetensors: visual has to be trained there first$/],
    [null, 'clip', /^clip: is a trained system: expected the run that it is in$/],
    [null, null, /^a trained system: expected the run that it is in$/],
  ] as const) {
    assert.match((await refusal(() => loadLinkingModel(session, folder, system))).message, message);
  }
  const other = { ...session, inputs: null, features: { ...session.features, clipHash: 'another' } };
  for (const system of ['clip', 'clip-head', 'text']) {
    const { message } = await refusal(() => loadLinkingModel(other, run, system));
    assert.match(message, /best\.safetensors: was trained on another CLIP$/);
  }
  const { release } = await loadLinkingModel({ ...session, inputs: null }, run, 'clip');
  release();
});

test('options that a baseline does not have are refused before anything is written', async () => {
  const config = await toyBaseline(toy, 'wrong', 'clip', { 'baseline.options': { crosss: true } });
  assert.match(
    (await refusal(() => trainBaseline(config, session))).message,
    /^baseline\.options: crosss: expected no field of this name/,
  );
  assert.not.ok(existsSync(runFolder(toy, 'wrong')));
});

test('with patience a training ends that finds no better epoch, and has nothing left to resume', async () => {
  const patient = { ...fields, 'training.learningRate': 0, 'training.epochs': 9, 'training.patience': 2 };
  const config = await toyBaseline(toy, 'patient', 'clip-head', patient);
  const { epoch } = await trainBaseline(config, session);
  assert.is(epoch, 1);
  const validations = () =>
    losses(join(runFolder(toy, 'patient'), 'clip-head')).filter((line) => 'dev' in (line as object)).length;
  assert.is(validations(), 3);
  assert.is((await trainBaseline(config, session, { resume: true })).epoch, 1);
  assert.is(validations(), 3);
});

test('the learning rate rises over the warm-up and falls after it', () => {
  const factors = (schedule: 'constant' | 'cosine' | 'linear') =>
    [0, 1, 2, 3, 6].map((step) => scheduleFactor(schedule, step, 10, 2));
  assert.equal(factors('constant'), [0.5, 1, 1, 1, 1]);
  assert.equal(factors('linear'), [0.5, 1, 1, 1 - 1 / 8, 0.5]);
  assert.ok(Math.abs(factors('cosine')[4]! - 0.5) < 1e-12);
  // Half way down to a tenth.
  assert.ok(Math.abs(scheduleFactor('cosine', 6, 10, 2, 0.1) - 0.55) < 1e-12);
  assert.ok(Math.abs(scheduleFactor('linear', 6, 10, 2, 0.1) - 0.55) < 1e-12);
  assert.is(scheduleFactor('constant', 6, 10, 2, 0.1), 1);
});

test.run();

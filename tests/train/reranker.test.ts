// BLINK's two stages trained as systems of a run: hard negatives of its own, a resumed training with the same bits, ranks that
// come back from the files, and what is refused.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rankByReranker, trainedRerankersOf } from '../../link/baselines/trained-rerankers.ts';
import { loadLinkingModel } from '../../link/linking-model.ts';
import { openSession } from '../../link/session.ts';
import { metricsOf } from '../../ranking/metrics.ts';
import { ownMistakes } from '../../train/baselines/own-mistakes.ts';
import { trainBaseline } from '../../train/baselines/train-baseline.ts';
import { device } from '../support/device.ts';
import {
  bytesOf,
  losses,
  makeToy,
  makeToyBert,
  openToy,
  refusal,
  removeToy,
  runFolder,
  stopAfter,
  toyBaseline,
} from '../support/toy-run.ts';

const toy = await makeToy(device);
const plain = await openToy(toy, device);
const bert = await makeToyBert(toy.folder, plain);
plain.close();
const session = await openSession({
  data: toy.data,
  clip: toy.clip,
  cache: join(toy.folder, 'cache'),
  encoders: { bert },
  device,
});
test.after(() => {
  session.close();
  removeToy(toy);
});

const options = { contextLength: 24, entityLength: 24 };
const firstFields = { 'training.epochs': 3, 'training.learningRate': 0.003, 'baseline.options': options };
const secondFields = {
  'training.epochs': 3,
  'training.batchSize': 4,
  'training.trainFraction': 1,
  'training.learningRate': 0.003,
  'baseline.options': { ...options, candidates: 6 },
};
const firstStage = (run: string, more: object = {}) =>
  toyBaseline(toy, run, 'blink', { ...firstFields, ...more });
const secondStage = (run: string, more: object = {}) =>
  toyBaseline(toy, run, 'blink-two-stage', { ...secondFields, ...more });

test('a reranker wants its first stage in the run', async () => {
  const { message } = await refusal(async () => trainBaseline(await secondStage('whole'), session));
  assert.match(message, /blink.best\.safetensors: is not there; train blink in that run first$/);
  assert.equal(await trainedRerankersOf(runFolder(toy, 'whole')), []);
});

test('the first stage ends with an epoch whose negatives are its own mistakes, and resumes there to the same bits', async () => {
  const fields = { 'training.hardNegatives': 3, 'training.hardEpochs': 1 };
  await trainBaseline(await firstStage('whole', fields), session);
  // Five steps an epoch: it is stopped in the last one.
  const again = await firstStage('stopped', fields);
  await trainBaseline(again, session, stopAfter(12)).catch(() => {});
  await trainBaseline(again, session, { resume: true });
  const [whole, stopped] = ['whole', 'stopped'].map((run) => join(runFolder(toy, run), 'blink'));
  assert.equal(losses(stopped!), losses(whole!));
  assert.ok(bytesOf(stopped!, 'last.safetensors') === bytesOf(whole!, 'last.safetensors'));
  const lossOf = (run: string) => (losses(run) as { loss?: number }[]).flatMap(({ loss }) => loss ?? []);
  const without = await trainBaseline(await firstStage('easy', { 'training.hardNegatives': 0 }), session);
  assert.ok(existsSync(without.file));
  const easy = lossOf(join(runFolder(toy, 'easy'), 'blink'));
  assert.equal(lossOf(whole!).slice(0, 10), easy.slice(0, 10));
  assert.ok(lossOf(whole!)[10]! > easy[10]!, 'more negatives, more loss');
});

test('own mistakes are the entities that rank highest, without the right one', async () => {
  const model = await loadLinkingModel(session, runFolder(toy, 'whole'), 'blink');
  const rows = [0, 5, 9];
  const { candidates, count } = await ownMistakes(session, model.scorer, rows, 4, {});
  assert.is(count, 4);
  for (const [row, found] of candidates.entries()) {
    assert.is(found.length, rows.includes(row) ? 4 : 0);
    assert.not(found.includes(session.corpus.gold.train[row]!));
  }
  model.release();
});

test('the second stage learns, resumes to the same bits, and ranks from its file as its best epoch did', async () => {
  const warnings: string[] = [];
  const onWarning = (line: string) => warnings.push(line);
  const { mrr } = await trainBaseline(await secondStage('whole'), session, { onWarning });
  const again = await secondStage('stopped');
  await trainBaseline(again, session, stopAfter(4)).catch(() => {});
  await trainBaseline(again, session, { resume: true });
  const [whole, stopped] = ['whole', 'stopped'].map((run) => join(runFolder(toy, run), 'blink-two-stage'));
  assert.equal(losses(stopped!), losses(whole!));
  assert.ok(bytesOf(stopped!, 'best.safetensors') === bytesOf(whole!, 'best.safetensors'));
  assert.equal(await trainedRerankersOf(runFolder(toy, 'whole')), ['blink-two-stage']);

  const { ranks, recall, top } = await rankByReranker(
    session,
    runFolder(toy, 'whole'),
    'blink-two-stage',
    'dev',
    2,
  );
  assert.is(metricsOf(ranks).mrr, mrr);
  assert.ok(recall > 0 && recall <= 100);
  assert.ok(top.every((found) => found.length === 2));
  assert.ok(ranks.every((rank) => rank >= 1 && rank <= 16));
  const left = warnings.find((line) => /not among the 6 candidates/.test(line));
  assert.ok(left === undefined || / of 40$/.test(left), `${warnings}`);
});

test('a first stage that was trained again, and what is no reranker, are refused', async () => {
  const run = runFolder(toy, 'whole');
  const ask = (name: string) => refusal(() => rankByReranker(session, run, name, 'dev'));
  assert.match((await ask('blink')).message, /^blink: is no reranker$/);
  rmSync(join(run, 'blink'), { recursive: true });
  await trainBaseline(await firstStage('whole', { 'training.seed': 5 }), session);
  assert.match((await ask('blink-two-stage')).message, /was trained after another blink; train it again$/);
});

test.run();

// Calibration of a run of the toy, and the evaluation that it makes: rows with names, figures of the probabilities.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { takenOutRows } from '../../../data/taken-out.ts';
import { evaluate } from '../../../eval/evaluate.ts';
import { readResults, resultTable } from '../../../eval/results.ts';
import { calibrate } from '../../../train/calibration/calibrate.ts';
import { checkConfig } from '../../../train/config/check.ts';
import { calibrationSchema } from '../../../train/config/schemas.ts';
import { trainGate } from '../../../train/gating/train-gate.ts';
import { device } from '../../support/device.ts';
import {
  makeToy,
  openToy,
  refusal,
  removeToy,
  runFolder,
  toyEvaluation,
  toyGate,
  trainToy,
} from '../../support/toy-run.ts';

const toy = await makeToy(device);
const session = await openToy(toy, device);
await trainToy(toy, session, 'run');
const run = runFolder(toy, 'run');
const places = { data: { folder: toy.data }, clip: { folder: toy.clip }, run: { folder: run } };
const calibrated = (fields: object = { names: { use: true } }) =>
  calibrate(checkConfig(calibrationSchema, { ...places, ...fields }), session);
test.after(() => {
  session.close();
  removeToy(toy);
});

/** By system, what an evaluation wrote of it. */
async function evaluated(overrides: object = {}) {
  const config = await toyEvaluation(toy, 'run', { 'evaluation.split': 'test', ...overrides });
  const { metrics, predictions } = await evaluate(config, session);
  const lines = readFileSync(predictions, 'utf8').trim().split('\n');
  return { results: await readResults(metrics), lines: lines.map((line) => JSON.parse(line)) };
}

test('without a calibration there are no rows with names', async () => {
  const { results } = await evaluated();
  assert.equal(Object.keys(results.systems).sort(), ['dsmip', 'multimodal', 'text']);
  assert.equal(results.confidence, {});
});

test('names and probabilities of DSMIP and of an expert; with the same seed the same bits', async () => {
  const { system, file, calibration } = await calibrated();
  assert.is(system, 'dsmip');
  assert.is(file, join(run, 'calibration.json'));
  // Every gold entity of the toy has the mention's name.
  assert.ok(calibration.temperature > 0 && calibration.names!.exact > 0);
  // The toy names no unlinkable mentions: all are asked without their entity, mistyped ones as well.
  assert.ok(calibration.fit['mentions']! > session.dataset.splits.dev.length);
  assert.is(calibration.fit['takenOut'], calibration.fit['mentions']);
  const before = readFileSync(file, 'utf8');
  await calibrated();
  assert.is(readFileSync(file, 'utf8'), before);
  await calibrated({ names: { use: true }, calibration: { system: 'text' } });

  const { results, lines } = await evaluated();
  const names = ['text', 'text+names', 'multimodal', 'dsmip', 'dsmip+names'];
  assert.equal(Object.keys(results.systems).sort(), names.toSorted());
  assert.ok(resultTable(results).some((line) => line.startsWith('DSMIP + names')));
  assert.ok(results.systems['dsmip+names']!.mr <= results.systems['dsmip']!.mr);
  assert.equal(Object.keys(results.confidence).sort(), ['dsmip+names', 'text+names']);
  const { auroc, calibrationError, curve, takenOut } = results.confidence['dsmip+names']!;
  assert.ok(auroc >= 0 && auroc <= 1 && calibrationError >= 0 && calibrationError <= 1);
  assert.is(takenOut, 10);
  assert.is(curve[0]!.recall, results.systems['dsmip+names']!['hits@1'] / 100);
  for (const { rank, ranks, answer, top } of lines) {
    assert.is(rank, ranks['dsmip+names']);
    assert.is(top[0].qid === answer, rank === 1);
    assert.is(top.length, 5);
  }

  const off = await evaluated({ 'names.use': false });
  assert.equal(Object.keys(off.results.systems).sort(), ['dsmip', 'multimodal', 'text']);
  for (const name of ['dsmip', 'text']) assert.equal(off.results.systems[name], results.systems[name]);
  // Named entities are candidates beside those of the vectors.
  const few = await evaluated({ 'evaluation.candidates': 1 });
  assert.ok(
    few.results.systems['dsmip+names']!['hits@3'] === 100,
    'two or three candidates, the right one of them',
  );
});

test('without names only probabilities are fitted', async () => {
  const { calibration } = await calibrated({ names: { use: false } });
  assert.is(calibration.names, null);
  const { results } = await evaluated();
  assert.not.ok('dsmip+names' in results.systems);
  assert.ok(results.confidence['dsmip']);
});

test('a calibration of another gate is refused in a line', async () => {
  await trainGate(await toyGate(toy, 'run', { 'training.seed': 9 }), session);
  assert.match((await refusal(() => evaluated())).message, /calibration\.json: dsmip: .*; calibrate again$/);
  await calibrated();
  await evaluated();
});

test('a system that is used as it comes has its calibration beside the CLIP', async () => {
  const system = 'clip-zero-shot';
  const { file, calibration } = await calibrated({ names: { use: true }, calibration: { system } });
  assert.is(file, join(toy.clip, 'calibration.json'));
  assert.ok(calibration.names!.exact > 0);
  const { results } = await evaluated({ 'evaluation.system': system });
  assert.ok(results.systems['clip-zero-shot+names']);
});

test('the mentions that are asked once more without their entity', () => {
  const { dataset } = session;
  assert.is(takenOutRows(dataset, 'dev').length, dataset.splits.dev.length, 'all, where none are named');
  const [, second] = dataset.splits.dev;
  const own = { ...dataset, unlinkable: { dev: [{ ...second!, id: 'u1' }], test: [] } };
  assert.equal(takenOutRows(own, 'dev'), [1]);
  const other = { ...own, unlinkable: { dev: [{ ...second!, id: 'u1', word: 'nobody' }], test: [] } };
  assert.throws(() => takenOutRows(other, 'dev'), /unlinkable mention u1: expected a mention of dev again/);
});

test.run();

// ALBEF's two stages trained as systems of a run: a resumed training has the same bits, ranks come back from the files, another
// ALBEF is refused.

import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { entityText, mentionText } from '../../data/entity-mention.ts';
import { trainWordPiece } from '../../data/text/wordpiece/wordpiece-trainer.ts';
import { Random } from '../../engine/random.ts';
import { rankByReranker } from '../../link/baselines/trained-rerankers.ts';
import { loadLinkingModel } from '../../link/linking-model.ts';
import { openSession } from '../../link/session.ts';
import { prepareSplit, rankPrepared } from '../../link/split.ts';
import type { AlbefConfig } from '../../model/albef/albef.ts';
import { saveAlbef } from '../../model/albef/save-albef.ts';
import { initialise } from '../../model/initialise.ts';
import { metricsOf } from '../../ranking/metrics.ts';
import { AlbefStudent } from '../../train/albef-pretraining/pair-losses.ts';
import { trainBaseline } from '../../train/baselines/train-baseline.ts';
import { device } from '../support/device.ts';
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
} from '../support/toy-run.ts';

const toy = await makeToy(device);
const plain = await openToy(toy, device);
const texts = [
  ...plain.dataset.entities.map(entityText),
  ...plain.dataset.splits.train.map((mention) => mentionText(mention)),
];
plain.close();
const tokens = trainWordPiece(texts, { vocabularySize: 200, minFrequency: 1 });
const config: AlbefConfig = {
  text: {
    width: 16,
    hidden: 32,
    heads: 2,
    layers: 2,
    vocabulary: tokens.length,
    maxLength: 32,
    types: 2,
    eps: 1e-12,
  },
  fusionLayer: 1,
  vision: { width: 16, hidden: 32, heads: 2, layers: 1, imageSize: 16, patchSize: 8 },
  projection: 8,
};
const folders = [1, 2].map((seed) => ({ seed, folder: join(toy.folder, `albef-${seed}`) }));
for (const { seed, folder } of folders) {
  const { tensors } = initialise(device, new Random(seed), (p) => new AlbefStudent(p, config));
  await saveAlbef(folder, config, tensors, tokens);
}
const open = (albef: string) =>
  openSession({
    data: toy.data,
    clip: toy.clip,
    cache: join(toy.folder, 'cache'),
    encoders: { albef },
    device,
  });
const session = await open(folders[0]!.folder);
test.after(() => {
  session.close();
  removeToy(toy);
});

const fields = {
  'training.epochs': 2,
  'training.batchSize': 4,
  'training.learningRate': 0.003,
  'baseline.options': { textLength: 24 },
};
const firstStage = (run: string) => toyBaseline(toy, run, 'albef', fields);
const secondStage = (run: string) =>
  toyBaseline(toy, run, 'albef-two-stage', {
    ...fields,
    'baseline.options': { textLength: 24, candidates: 6 },
  });

test('stopped and resumed it ends with the same bits, and ranks from its file as its best epoch did', async () => {
  const whole = await trainBaseline(await firstStage('whole'), session);
  const again = await firstStage('stopped');
  await trainBaseline(again, session, stopAfter(6)).catch(() => {});
  await trainBaseline(again, session, { resume: true });
  const [first, second] = ['whole', 'stopped'].map((run) => join(runFolder(toy, run), 'albef'));
  assert.equal(losses(second!), losses(first!));
  for (const file of ['best.safetensors', 'last.safetensors']) {
    assert.ok(bytesOf(second!, file) === bytesOf(first!, file), file);
  }
  const steps = (losses(first!) as { loss?: number }[]).flatMap(({ loss }) => loss ?? []);
  assert.ok(steps.at(-1)! < steps[0]!, `${steps}`);
  const model = await loadLinkingModel(session, runFolder(toy, 'whole'), 'albef');
  const { metrics } = await rankPrepared(model.scorer, await prepareSplit(session, [model.scorer], 'dev'));
  assert.is(metrics.mrr, whole.mrr);
  model.release();
});

test('the matching head learns after it, and ranks from its file as its best epoch did', async () => {
  const { mrr } = await trainBaseline(await secondStage('whole'), session);
  const { ranks } = await rankByReranker(session, runFolder(toy, 'whole'), 'albef-two-stage', 'dev');
  assert.ok(Math.abs(metricsOf(ranks).mrr - mrr) < 1e-9);
});

test('what was trained from another ALBEF is refused', async () => {
  const other = await open(folders[1]!.folder);
  const run = runFolder(toy, 'whole');
  for (const work of [
    () => loadLinkingModel(other, run, 'albef'),
    () => rankByReranker(other, run, 'albef-two-stage', 'dev'),
  ]) {
    assert.match((await refusal(work)).message, /was trained from another ALBEF$/);
  }
  other.close();
});

test.run();

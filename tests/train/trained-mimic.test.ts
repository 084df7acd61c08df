// MIMIC as a system of a run: trained, resumed to the same bits, told of images that cannot be read, evaluated, indexed and
// linked from.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildIndex } from '../../eval/build-index.ts';
import { evaluate } from '../../eval/evaluate.ts';
import { readResults, resultTable } from '../../eval/results.ts';
import { openLinker } from '../../link/linker.ts';
import { trainBaseline } from '../../train/baselines/train-baseline.ts';
import { checkConfig } from '../../train/config/check.ts';
import { indexSchema } from '../../train/config/schemas.ts';
import { device } from '../support/device.ts';
import {
  bytesOf,
  losses,
  makeToy,
  openToy,
  removeToy,
  runFolder,
  stopAfter,
  toyBaseline,
  toyEvaluation,
} from '../support/toy-run.ts';

const toy = await makeToy(device);
const session = await openToy(toy, device);
test.after(() => {
  session.close();
  removeToy(toy);
});

const fields = { 'training.epochs': 4, 'training.learningRate': 0.002, 'baseline.options': { hidden: 8 } };

test('aborted and resumed, it ends with the same bits, its CLIP other than the session’s', async () => {
  const tower = session.clip.tensors.get('text_projection.weight')!;
  const before = await device.read<'f32'>(tower);
  const whole = await trainBaseline(await toyBaseline(toy, 'whole', 'mimic', fields), session);
  const config = await toyBaseline(toy, 'stopped', 'mimic', fields);
  let stopped = false;
  await trainBaseline(config, session, stopAfter(7)).catch(() => {
    stopped = true;
  });
  assert.ok(stopped);
  const resumed = await trainBaseline(config, session, { resume: true });
  assert.is(resumed.mrr, whole.mrr);
  const folders = ['stopped', 'whole'].map((run) => join(runFolder(toy, run), 'mimic')) as [string, string];
  for (const file of ['best.safetensors', 'last.safetensors']) {
    assert.ok(bytesOf(folders[0], file) === bytesOf(folders[1], file), file);
  }
  const all = losses(folders[1]) as { loss?: number }[];
  const steps = all.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
  assert.ok(steps.at(-1)! < steps[0]!, `${steps}`);
  assert.equal(await device.read<'f32'>(tower), before);
});

test('an image that cannot be read is counted and said, and stands for a missing one', async () => {
  const images = join(toy.data, 'kb_image');
  const first = join(images, readdirSync(images)[0]!);
  const before = readFileSync(first);
  writeFileSync(first, 'not a picture');
  const fresh = await openToy(toy, device);
  const warnings: string[] = [];
  const onWarning = (line: string) => warnings.push(line);
  const config = await toyBaseline(toy, 'images', 'mimic', { ...fields, 'training.epochs': 1 });
  await trainBaseline(config, fresh, { onWarning });
  writeFileSync(first, before);
  fresh.close();
  assert.match(warnings.join('\n'), /: 1 image file unreadable, zeros in its place/);
});

test('a run with it is evaluated, indexed and linked from', async () => {
  const { metrics, predictions } = await evaluate(
    await toyEvaluation(toy, 'whole', { 'evaluation.split': 'dev' }),
    session,
  );
  const results = await readResults(metrics);
  assert.equal(Object.keys(results.systems), ['mimic']);
  assert.match(resultTable(results).join('\n'), /MIMIC /);
  const dev = (losses(join(runFolder(toy, 'whole'), 'mimic')) as { dev?: { mrr: number } }[]).flatMap(
    ({ dev }) => (dev ? [dev.mrr] : []),
  );
  assert.is(results.systems['mimic']!.mrr, Math.max(...dev));

  const run = runFolder(toy, 'whole');
  const { head } = await buildIndex(
    checkConfig(indexSchema, {
      data: { folder: toy.data },
      clip: { folder: toy.clip },
      run: { folder: run },
      index: { system: 'mimic', dtype: 'float32', shard: 5 },
    }),
    session,
  );
  assert.equal([head.entities, head.scorer], [16, 'mimic']);
  const linker = await openLinker({ run, device });
  const mentions = session.dataset.splits.dev;
  const linked = await linker.link(mentions.map(({ word, sentence, image }) => ({ word, sentence, image })));
  const ranks = readFileSync(predictions, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { rank: number }).rank);
  for (const [i, rank] of ranks.entries()) {
    const { qid } = session.dataset.entities[mentions[i]!.entity]!;
    assert.is(linked[i]![0]!.qid === qid, rank === 1, `mention ${i}`);
  }
  await linker.close();
});

test.run();

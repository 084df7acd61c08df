// Stage 1 on toy data: every expert trains and learns, with the paper's choices and ours; what stops it, what it goes on from.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { trainExpert } from '../../train/experts/train-expert.ts';
import type { WorkEvent } from '../../train/hooks.ts';
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
  toyExpert,
} from '../support/toy-run.ts';

const toy = await makeToy(device);
const session = await openToy(toy, device);

for (const kind of ['text', 'visual', 'multimodal'] as const) {
  test(`the ${kind} expert trains, and its loss falls`, async () => {
    await trainExpert(await toyExpert(toy, 'plain', kind, { 'training.epochs': 3 }), session);
    const folder = join(runFolder(toy, 'plain'), kind);
    const lines = losses(folder) as { loss?: number; dev?: { mrr: number } }[];
    const steps = lines.flatMap(({ loss }) => loss ?? []);
    assert.is(steps.length, 15);
    assert.is(lines.filter(({ dev }) => dev).length, 3);
    const mean = (part: number[]) => part.reduce((a, b) => a + b) / part.length;
    assert.ok(mean(steps.slice(-5)) < mean(steps.slice(0, 5)), `${steps}`);
    assert.ok(existsSync(join(folder, 'best.safetensors')));
    assert.not.ok(existsSync(`${folder}.new`));
  });
}

test('hard negatives, a fraction of the mentions, no prompts, a trained encoder', async () => {
  for (const [kind, overrides] of [
    ['text', { 'training.hardNegatives': 2, 'training.trainFraction': 0.5 }],
    ['multimodal', { 'expert.prompts.use': false }],
    ['text', { 'expert.finetuneEncoder': true }],
  ] as const) {
    const result = await trainExpert(await toyExpert(toy, 'choices', kind, overrides), session);
    assert.is(result.epoch, 1);
  }
});

test('a batch encoded in chunks, and one that must be: the chunk is chosen by memory and belongs to the run', async () => {
  const folder = join(runFolder(toy, 'chunks'), 'multimodal');
  const train = async (overrides: Record<string, unknown>, resume = false) => {
    const events: WorkEvent[] = [];
    const onEvent = (event: WorkEvent) => events.push(event);
    await trainExpert(await toyExpert(toy, 'chunks', 'multimodal', overrides), session, { resume, onEvent });
    const plan = events.find(({ type }) => type === 'memory plan') as { chunk: number; bytes: number };
    const taken = events.find(({ type }) => type === 'memory') as { bytes: number };
    assert.ok(plan.bytes > 0 && taken.bytes > 0);
    return plan.chunk;
  };
  assert.is(await train({ 'training.encodeChunk': 3 }), 3);
  const [first] = losses(folder) as { loss: number }[];
  const other = await refusal(() => train({ 'training.encodeChunk': 5 }, true));
  assert.match(other.message, /belongs to a run with training\.encodeChunk 3, this one has 5/);

  assert.is(await train({}), 0);
  const [same] = losses(folder) as { loss: number }[];
  assert.ok(Math.abs(first!.loss / same!.loss - 1) < 1e-5, `${first!.loss}, ${same!.loss}`);

  const before = bytesOf(folder, 'best.safetensors');
  const tight = await refusal(() => train({ 'training.memoryGB': 0.0008 }));
  assert.match(
    tight.message,
    /^a step takes \S+ MB of device memory at the least, there are 0.80 MB: expected a smaller training\.batchSize/,
  );
  assert.is(bytesOf(folder, 'best.safetensors'), before, 'what was trained before is still there');
});

test('a loss that is not finite is one line, and leaves the finished training as it was', async () => {
  const folder = join(runFolder(toy, 'plain'), 'text');
  const before = ['best.safetensors', 'last.safetensors', 'metrics.jsonl'].map((name) =>
    bytesOf(folder, name),
  );
  const wild = await toyExpert(toy, 'plain', 'text', { 'training.learningRate': 1e308 });
  const { message } = await refusal(() => trainExpert(wild, session));
  assert.match(message, /^the loss of step \d+ is \S+; try a lower training\.learningRate$/);
  const after = ['best.safetensors', 'last.safetensors', 'metrics.jsonl'].map((name) =>
    bytesOf(folder, name),
  );
  assert.equal(after, before);
  assert.not.ok(existsSync(`${folder}.new`));
});

test('two trainings in one folder: one is refused in one line, and the other ends as if alone', async () => {
  const config = await toyExpert(toy, 'plain', 'text', { 'training.epochs': 3 });
  const before = bytesOf(runFolder(toy, 'plain'), 'text', 'best.safetensors');
  const both = await Promise.allSettled([trainExpert(config, session), trainExpert(config, session)]);
  const refused = both.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : []));
  assert.is(refused.length, 1);
  assert.match(refused[0]!, /text\.new: this process is writing there already/);
  assert.is(bytesOf(runFolder(toy, 'plain'), 'text', 'best.safetensors'), before);
});

test('with a zero start, namesakes and dropped images, it goes on from a stop to the same bits, and not as without', async () => {
  const ours = {
    'training.epochs': 2,
    'expert.localStart': 'zero',
    'training.hardNegatives': 2,
    'training.hardNegativesBy': 'name',
  };
  const dropout = { 'training.mentionImageDropout': 0.4, 'training.entityImageDropout': 0.15 };
  const undropped = { 'training.mentionImageDropout': 0, 'training.entityImageDropout': 0 };
  const train = async (run: string, overrides: object, stopsAfter = Infinity) => {
    const config = await toyExpert(toy, run, 'multimodal', { ...ours, ...overrides });
    await trainExpert(config, session, { ...stopAfter(stopsAfter), resume: true }).catch(() => {});
    return join(runFolder(toy, run), 'multimodal');
  };
  const whole = await train('ours', dropout);
  assert.not.ok(existsSync(await train('ours stopped', dropout, 7)));
  const stopped = await train('ours stopped', dropout);
  assert.ok(bytesOf(stopped, 'last.safetensors') === bytesOf(whole, 'last.safetensors'));
  assert.equal(losses(stopped), losses(whole));
  assert.not.equal(losses(await train('undropped', undropped)), losses(whole));
});

test('units alone come first, on a schedule of their own, and prompts start where a stop finds them to the same bits', async () => {
  const fields = {
    'training.epochs': 2,
    'training.unitEpochs': 2,
    'training.mentionsPerEpoch': 16,
    'training.schedule': 'cosine',
  };
  const train = async (run: string, stopsAfter = Infinity, kind: 'text' | 'multimodal' = 'multimodal') => {
    const config = await toyExpert(toy, run, kind, fields);
    await trainExpert(config, session, { ...stopAfter(stopsAfter), resume: true }).catch(() => {});
    return join(runFolder(toy, run), kind);
  };
  const folder = await train('units first');
  const steps = losses(folder) as { step: number; epoch: number; lr?: number }[];
  const rates = steps.flatMap(({ lr }) => lr ?? []);
  // 16 mentions in batches of 8, four times.
  assert.is(rates.length, 4 + 4);
  const cosine = (step: number, of: number) => (0.005 * (1 + Math.cos((Math.PI * step) / of))) / 2;
  rates.forEach((rate, i) => {
    const expected = i < 4 ? cosine(i, 4) : cosine(i - 4, 4);
    assert.ok(Math.abs(rate - expected) < 1e-9, `step ${i}: ${rate}, ${expected}`);
  });
  await train('units stopped', 7);
  const stopped = await train('units stopped');
  assert.ok(bytesOf(stopped, 'last.safetensors') === bytesOf(folder, 'last.safetensors'));
  assert.equal(losses(stopped), losses(folder));
  const text = losses(await train('units first', Infinity, 'text')) as { lr?: number }[];
  assert.is(text.flatMap(({ lr }) => lr ?? []).length, 4, 'an expert that is frozen has no such epochs');
});

test('stopped between two steps, it goes on from the last finished epoch to the same bits', async () => {
  const epochs = { 'training.epochs': 3 };
  const whole = join(runFolder(toy, 'whole'), 'multimodal');
  await trainExpert(await toyExpert(toy, 'whole', 'multimodal', epochs), session);
  const config = await toyExpert(toy, 'stopped', 'multimodal', epochs);
  const reason = new Error('enough');
  let thrown: unknown = null;
  await trainExpert(config, session, stopAfter(7, reason)).catch((error) => {
    thrown = error;
  });
  assert.is(thrown, reason);
  const stopped = join(runFolder(toy, 'stopped'), 'multimodal');
  assert.not.ok(existsSync(stopped), 'nothing unfinished takes the place of a training');
  const events: WorkEvent[] = [];
  await trainExpert(config, session, { resume: true, onEvent: (event) => events.push(event) });
  assert.equal(events[1], { type: 'resumed', epoch: 1 });
  for (const file of ['best.safetensors', 'last.safetensors']) {
    assert.ok(bytesOf(stopped, file) === bytesOf(whole, file), file);
  }
  assert.equal(losses(stopped), losses(whole));
  const again: WorkEvent[] = [];
  await trainExpert(config, session, { resume: true, onEvent: (event) => again.push(event) });
  assert.equal(
    again.map(({ type }) => type),
    ['memory plan', 'resumed', 'trained'],
    'a finished training is not trained on',
  );
});

test.after(() => {
  session.close();
  removeToy(toy);
});

test.run();

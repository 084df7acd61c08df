// Stage 2 and evaluation on toy data.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluate } from '../../eval/evaluate.ts';
import { readAbout } from '../../model/checkpoint.ts';
import { sideExperts } from '../../model/dsmip/dsmip-model.ts';
import { trainExpert } from '../../train/experts/train-expert.ts';
import { trainGate } from '../../train/gating/train-gate.ts';
import type { WorkEvent } from '../../train/hooks.ts';
import { openSafetensors } from '../../weights/safetensors.ts';
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
  toyEvaluation,
  toyExpert,
  toyGate,
} from '../support/toy-run.ts';

const toy = await makeToy(device);
const session = await openToy(toy, device);
const run = runFolder(toy, 'run');
const folder = join(run, 'gate');
for (const kind of ['text', 'multimodal'] as const) {
  await trainExpert(await toyExpert(toy, 'run', kind), session);
}
const epochs = { 'training.epochs': 5 };

test('stage 2 trains gate and scoring units, and goes on after a stop to the same bits', async () => {
  const events: WorkEvent[] = [];
  const config = await toyGate(toy, 'run', epochs);
  await trainGate(config, session, { onEvent: (event) => events.push(event) });
  const last = events.filter(({ type }) => type === 'epoch').at(-1) as { choices: Record<string, number> };
  assert.equal(Object.keys(last.choices).sort(), ['multimodal', 'text']);
  const files = () => [
    bytesOf(folder, 'last.safetensors'),
    bytesOf(folder, 'best.safetensors'),
    losses(folder),
  ];
  const whole = files();

  await trainGate(config, session, stopAfter(12)).catch(() => {});
  assert.ok(existsSync(`${folder}.new`));
  assert.equal(files(), whole, 'the gate that was finished before is still there');
  await trainGate(config, session, { resume: true });
  assert.equal(files(), whole);
  assert.not.ok(existsSync(`${folder}.new`));
});

test('evaluation writes the metrics of each expert, their mean and DSMIP', async () => {
  await evaluate(await toyEvaluation(toy, 'run', { 'evaluation.mean': true }), session);
  const metrics = JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8'));
  assert.equal([metrics.split, metrics.mentions, metrics.entities], ['test', 10, 16]);
  assert.equal(Object.keys(metrics.systems).sort(), [
    'dsmip',
    'fixed-mixture',
    'mean',
    'multimodal',
    'standardised-mean',
    'text',
  ]);
  for (const system of Object.values(metrics.systems) as Record<string, number>[]) {
    assert.equal(Object.keys(system), ['hits@1', 'hits@3', 'hits@5', 'hits@10', 'hits@20', 'mrr', 'mr']);
    assert.is(system['hits@20'], 100); // there are 16 entities
    assert.ok(system['mr']! >= 1 && system['mr']! <= 16);
  }
  for (const picked of Object.values(metrics.gate.picked) as Record<string, number>[]) {
    const sum = Object.values(picked).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum - 100) < 1e-9, `${sum}`);
  }
});

test('a choice per mention, with a trained scale and offset, evaluates as it was trained', async () => {
  const fields = { 'gate.by': 'mention', 'gate.calibrate': true, 'gate.dropout': 0 };
  await trainGate(await toyGate(toy, 'run', fields), session);
  await evaluate(await toyEvaluation(toy, 'run', { 'evaluation.split': 'dev' }), session);
  const { systems } = JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8'));
  const { dev } = losses(folder).at(-1) as { dev: object };
  assert.equal(systems.dsmip, dev);
});

test('a gate trained on some of the mentions sees these alone, and each as with all of them there', async () => {
  const fields = { 'training.mentions': 12, 'training.hardNegatives': 2, 'training.hardNegativesBy': 'name' };
  const train = async () => {
    await trainGate(await toyGate(toy, 'run', fields), session);
    return losses(folder) as { loss?: number }[];
  };
  const lines = await train();
  assert.is(lines.flatMap(({ loss }) => loss ?? []).length, 2);
  assert.equal(await train(), lines);
});

test("at a learning rate of 0 the scoring units stay stage 1's, and the gate trains on the same scores", async () => {
  const train = async (rate: number) => {
    const fields = { 'training.unitLearningRate': rate, 'training.hardNegatives': 2 };
    await trainGate(await toyGate(toy, 'run', fields), session);
    return (losses(folder) as { loss?: number }[]).flatMap(({ loss }) => loss ?? []);
  };
  // So small a rate moves no loss of five steps that anybody would see.
  const [trained, frozen] = [await train(1e-9), await train(0)];
  trained.forEach((loss, i) => {
    assert.ok(Math.abs(frozen[i]! - loss) < 1e-3 * loss, `step ${i}: ${frozen[i]}, ${loss}`);
  });
  const gate = await openSafetensors(join(folder, 'best.safetensors'));
  for (const kind of ['text', 'multimodal'] as const) {
    const expert = await openSafetensors(join(run, kind, 'best.safetensors'));
    const units = gate.names.filter((name) => name.startsWith(`${kind}.`));
    assert.ok(units.length > 0);
    for (const name of units) {
      assert.equal(await gate.read(name), await expert.read(name.slice(kind.length + 1)), name);
    }
  }
});

test('without noise the draws of training are the choices of ranking: too little of it makes no difference', async () => {
  const train = async (noise: number) => {
    const fields = { 'training.noise': noise, 'training.epochs': 1, 'gate.dropout': 0 };
    await trainGate(await toyGate(toy, 'run', fields), session);
    return losses(folder);
  };
  const none = await train(0);
  assert.equal(await train(1e-12), none);
  assert.not.equal(await train(1), none);
});

test('a balance term and what it is to be of both change what a gate learns', async () => {
  const train = async (balance: number, balanceOf: 'choices' | 'probabilities') => {
    const fields = { 'training.epochs': 1, 'training.balance': balance, 'training.balanceOf': balanceOf };
    await trainGate(await toyGate(toy, 'run', fields), session);
    return losses(folder);
  };
  const without = await train(0, 'choices');
  assert.equal(await train(0, 'probabilities'), without);
  const [choices, probabilities] = [await train(1, 'choices'), await train(1, 'probabilities')];
  assert.not.equal(choices, without);
  assert.not.equal(probabilities, without);
  assert.not.equal(choices, probabilities);
});

test('a choice of a modality for each side goes on to the same bits, and evaluates as it was trained', async () => {
  for (const kind of ['text-multimodal', 'multimodal-text'] as const) {
    await trainExpert(await toyExpert(toy, 'run', kind), session);
  }
  const config = await toyGate(toy, 'run', {
    'gate.experts': [...sideExperts],
    'gate.by': 'side',
    'training.epochs': 2,
    'training.learningRate': 0.02,
    'training.balance': 0.1,
  });
  await trainGate(config, session);
  const whole = bytesOf(folder, 'last.safetensors');
  await trainGate(config, session, stopAfter(7)).catch(() => {});
  assert.ok(existsSync(`${folder}.new`));
  await trainGate(config, session, { resume: true });
  assert.equal(bytesOf(folder, 'last.safetensors'), whole);

  await evaluate(await toyEvaluation(toy, 'run', { 'evaluation.split': 'dev' }), session);
  const { systems, gate } = JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8'));
  const { about } = await readAbout(join(folder, 'best.safetensors'));
  assert.equal(systems.dsmip, about['dev']);
  assert.equal([gate.by, gate.experts], ['side', [...sideExperts]]);
  // Both sides choose alone: how often a mention's modality comes up does not depend on the entity's.
  const { text = 0, multimodal = 0, ...crossed } = gate.picked.overall as Record<string, number>;
  const [tm, mt] = [crossed['text-multimodal'] ?? 0, crossed['multimodal-text'] ?? 0];
  assert.ok(Math.abs(text * multimodal - tm * mt) < 1e-6, `${text} ${tm} ${mt} ${multimodal}`);
});

test('what does not go together is one line', async () => {
  const gate = (overrides: Record<string, unknown>) => async () =>
    trainGate(await toyGate(toy, 'run', overrides), session);
  const before = bytesOf(folder, 'best.safetensors');
  for (const [work, message] of [
    [gate({ 'gate.image': 'vgg', 'gate.vgg': join(toy.folder, 'none') }), /none: no such file/],
    [
      gate({ 'gate.by': 'side' }),
      /gate\.experts: expected text,text-multimodal,multimodal-text,multimodal for gate\.by side, found text,multimodal$/,
    ],
    [gate({ 'gate.experts': ['text', 'visual'] }), /visual.best\.safetensors: no such file/],
    [
      gate({ 'training.holdOut': 0.5 }),
      /training\.holdOut 0\.5: .*text.best\.safetensors was trained with training\.holdOut 0$/,
    ],
    [
      gate({ 'gate.experts': ['audio'] }),
      /gate\.experts\S*: expected some of text, visual, multimodal, text-multimodal, multimodal-text/,
    ],
    [
      async () => evaluate(await toyEvaluation(toy, 'empty'), session),
      /empty: no SYSTEM.best\.safetensors; train an expert or a baseline there first/,
    ],
  ] as const) {
    assert.match((await refusal(work)).message, message);
  }
  assert.not.ok(existsSync(join(toy.folder, 'empty')));
  assert.is(bytesOf(folder, 'best.safetensors'), before);
  assert.not.ok(existsSync(`${folder}.new`));
});

test('a run of another data set is refused in one line', async () => {
  const path = join(toy.data, 'toy_train.json');
  const before = readFileSync(path, 'utf8');
  writeFileSync(path, before.replaceAll('steel', 'iron'));
  const other = await openToy(toy, device);
  writeFileSync(path, before);
  const evaluation = await toyEvaluation(toy, 'run');
  const { message } = await refusal(() => evaluate(evaluation, other));
  assert.match(message, /best\.safetensors: was trained on another data set or CLIP/);
  other.close();
});

test.after(() => {
  session.close();
  removeToy(toy);
});

test.run();

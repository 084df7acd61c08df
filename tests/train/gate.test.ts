// Stage 2 and evaluation from the command line, on toy data.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaint, killThrice, losses, makeToy, removeToy, script } from '../support/toy-run.ts';

const toy = await makeToy();
const run = join(toy.folder, 'run');
for (const expert of ['text', 'multimodal']) {
  const flags = ['--run', run, '--expert', expert, '--batch', '8', '--epochs', '1', '--prompt-depth', '1'];
  const { status, stderr } = script('train/expert.ts', [...toy.flags, ...flags]);
  assert.is(status, 0, stderr);
}
const gate = (...flags: string[]) => [...toy.flags, '--run', run, '--batch', '8', '--epochs', '5', ...flags];
const file = (name: string) => join(run, 'gate', name);
const bytes = (name: string) => readFileSync(file(name)).toString('base64');

test('stage 2 trains gate and scoring units, and resumes after a kill to the same bits', async () => {
  const { status, stderr, stdout } = script('train/gate.ts', gate());
  assert.is(status, 0, stderr);
  assert.match(stdout, /epoch 5\/5 .* chosen text \d+\.\d %, multimodal \d+\.\d %/);
  const whole = [bytes('last.safetensors'), bytes('best.safetensors'), losses(join(run, 'gate'))];

  const delays = await killThrice('train/gate.ts', gate());
  assert.is.not(delays[0], null, 'the training was over before it could be killed');
  const resumed = script('train/gate.ts', gate('--resume'));
  assert.is(resumed.status, 0, resumed.stderr);
  assert.equal([bytes('last.safetensors'), bytes('best.safetensors'), losses(join(run, 'gate'))], whole);
});

test('evaluation writes the metrics of each expert, their mean and DSMIP', () => {
  const { status, stderr } = script('eval/evaluate.ts', [...toy.flags, '--run', run, '--mean']);
  assert.is(status, 0, stderr);
  const metrics = JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8'));
  assert.equal([metrics.split, metrics.mentions, metrics.entities], ['test', 10, 16]);
  assert.equal(Object.keys(metrics.systems).sort(), ['dsmip', 'mean', 'multimodal', 'text']);
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

test('a choice per mention, with a trained scale and offset, evaluates as it was trained', () => {
  const { status, stderr } = script(
    'train/gate.ts',
    gate('--gate-by', 'mention', '--calibrate', '--epochs', '1', '--dropout', '0'),
  );
  assert.is(status, 0, stderr);
  const evaluated = script('eval/evaluate.ts', [...toy.flags, '--run', run, '--split', 'dev']);
  assert.is(evaluated.status, 0, evaluated.stderr);
  const { systems } = JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8'));
  const { dev } = losses(join(run, 'gate')).at(-1) as { dev: object };
  assert.equal(systems.dsmip, dev);
});

test('bad input is one line each, exit code 1', () => {
  const vgg = script('train/gate.ts', gate('--gate-image', 'vgg', '--vgg', join(toy.folder, 'none')));
  const visual = script('train/gate.ts', gate('--experts', 'text,visual'));
  const audio = script('train/gate.ts', gate('--experts', 'audio'));
  const held = script('train/gate.ts', gate('--hold-out', '0.5'));
  const empty = script('eval/evaluate.ts', [...toy.flags, '--run', join(toy.folder, 'empty')]);
  for (const [{ status, stderr }, message] of [
    [vgg, /none: no such file/],
    [visual, /visual.best\.safetensors: no such file/],
    [held, /--hold-out 0\.5: .*text.best\.safetensors was trained with --hold-out 0$/],
    [audio, /audio: expected some of text,visual,multimodal/],
    [empty, /empty: no EXPERT.best\.safetensors; train an expert there first/],
  ] as const) {
    assert.is(status, 1, stderr);
    assert.match(complaint(stderr), message);
    assert.is(complaint(stderr).split('\n').length, 1, stderr);
  }
  assert.not.ok(existsSync(join(toy.folder, 'empty')));
});

test('a run of another data set is refused in one line', () => {
  const path = join(toy.data, 'toy_train.json');
  const before = readFileSync(path, 'utf8');
  writeFileSync(path, before.replaceAll('steel', 'iron'));
  const { status, stderr } = script('eval/evaluate.ts', [...toy.flags, '--run', run]);
  writeFileSync(path, before);
  assert.is(status, 1);
  assert.match(complaint(stderr), /best\.safetensors: was trained on another data set/);
});

test.after(() => removeToy(toy));

test.run();

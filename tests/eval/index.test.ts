// The entity index from the command line, on toy data: the same answers as from encoded entities, and what it refuses.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaint, makeToy, removeToy, root, runtimeFlags, script } from '../support/toy-run.ts';

const toy = await makeToy();
const run = join(toy.folder, 'run');
const index = join(run, 'index');
const small = ['--batch', '8', '--epochs', '1'];
for (const expert of ['text', 'multimodal']) {
  const flags = ['--run', run, '--expert', expert, ...small, '--prompt-depth', '1'];
  const { status, stderr } = script('train/expert.ts', [...toy.flags, ...flags]);
  assert.is(status, 0, stderr);
}

function train(by: 'pair' | 'mention'): void {
  const flags = ['--run', run, ...small, '--gate-by', by, '--calibrate', '--lr', '0.05'];
  const { status, stderr } = script('train/gate.ts', [...toy.flags, ...flags]);
  assert.is(status, 0, stderr);
}

function build(...flags: string[]): string {
  const all = [...toy.flags, '--run', run, '--shard', '5', ...flags];
  const { status, stderr, stdout } = script('eval/index.ts', all);
  assert.is(status, 0, stderr);
  return stdout;
}

function onDev(flags: readonly string[]) {
  return script('eval/evaluate.ts', [...toy.flags, '--run', run, '--split', 'dev', ...flags]);
}

/** What evaluation on dev writes. */
function evaluate(...flags: string[]) {
  const { status, stderr } = onDev(flags);
  assert.is(status, 0, stderr);
  const lines = readFileSync(join(run, 'predictions.jsonl'), 'utf8').trim().split('\n');
  return {
    metrics: JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8')),
    predictions: lines.map((line) => JSON.parse(line) as Prediction),
  };
}

interface Prediction {
  mention: number;
  answer: string;
  rank: number;
  ranks: Record<string, number>;
  expert: string;
  top: { qid: string; name: string; score: number; expert: string }[];
}

function refused(flags: string[], message: RegExp): void {
  const { status, stderr } = onDev(flags);
  assert.is(status, 1, stderr);
  assert.match(complaint(stderr), message);
  assert.is(complaint(stderr).split('\n').length, 1, stderr);
}

for (const by of ['pair', 'mention'] as const) {
  test(`a gate by ${by}: the index gives the answers of encoded entities`, () => {
    train(by);
    const direct = evaluate();
    build('--dtype', 'float32');
    const indexed = evaluate('--index');
    assert.equal(indexed.metrics.systems.dsmip, direct.metrics.systems.dsmip);
    assert.equal(indexed.metrics.gate, direct.metrics.gate);
    for (const [i, { rank, expert, top }] of indexed.predictions.entries()) {
      const other = direct.predictions[i]!;
      assert.is(rank, other.rank);
      assert.is(expert, other.expert);
      assert.equal(
        top.map(({ qid }) => qid),
        other.top.map(({ qid }) => qid),
      );
      for (const [j, { score }] of top.entries()) {
        assert.ok(Math.abs(score - other.top[j]!.score) <= 1e-4 * Math.abs(score), `${score}`);
      }
    }
  });
}

test('linking the mentions of dev gives the answers of its evaluation, from the index and without it', () => {
  const input = join(toy.folder, 'dev.jsonl');
  const dev = JSON.parse(readFileSync(join(toy.data, 'toy_dev.json'), 'utf8')) as Record<string, string>[];
  const mentions = dev.map(({ mentions, sentence, imgPath }) => ({
    word: mentions,
    sentence,
    image: imgPath === '' ? null : join(toy.data, 'mention_image', imgPath!),
  }));
  writeFileSync(input, mentions.map((mention) => `${JSON.stringify(mention)}\n`).join(''));
  const { predictions } = evaluate();
  const link = () => {
    const flags = [...toy.flags, '--run', run, '--input', input, '--json'];
    const { status, stderr, stdout } = script('eval/link.ts', flags);
    assert.is(status, 0, stderr);
    const lines = stdout.trim().split('\n');
    return lines.map((line) => (JSON.parse(line) as { entities: Prediction['top'] }).entities);
  };
  assert.ok(existsSync(join(index, 'index.json')));
  const fromIndex = link();
  rmSync(index, { recursive: true });
  for (const found of [fromIndex, link()]) {
    for (const [i, { top }] of predictions.entries()) {
      assert.equal(
        found[i]!.map(({ qid, expert }) => [qid, expert]),
        top.map(({ qid, expert }) => [qid, expert]),
        `mention ${i}`,
      );
      for (const [j, { score }] of top.entries()) {
        assert.ok(Math.abs(score - found[i]![j]!.score) <= 1e-4 * Math.abs(score), `${score}`);
      }
    }
  }
  build('--dtype', 'float32');
});

test('predictions fit the metrics', () => {
  const { metrics, predictions } = evaluate('--mean');
  assert.is(predictions.length, metrics.mentions);
  for (const [system, { 'hits@1': hits }] of Object.entries(metrics.systems) as [
    string,
    Record<string, number>,
  ][]) {
    const first = predictions.filter(({ ranks }) => ranks[system]! <= 1).length;
    assert.ok(Math.abs(hits! - (100 * first) / predictions.length) < 1e-9, system);
  }
  for (const { rank, ranks, answer, top, expert } of predictions) {
    assert.is(rank, ranks['dsmip']);
    assert.is(top.length, 5);
    assert.ok(['text', 'multimodal'].includes(expert));
    if (rank < 5)
      assert.is(
        top.findIndex(({ qid }) => qid === answer),
        rank - 1,
      );
  }
});

test('as many candidates as entities rank like no candidates; fewer are scored only', () => {
  const all = evaluate('--mean');
  const same = evaluate('--mean', '--candidates', '16');
  assert.equal(same.metrics.systems, all.metrics.systems);
  assert.is(same.metrics.candidates.recall, 100);
  const few = evaluate('--index', '--candidates', '3');
  assert.is(few.metrics.candidates.count, 3);
  assert.is(few.metrics.pairs.dsmip.ranked, 3 * few.metrics.mentions);
  for (const { rank, top } of few.predictions) {
    assert.is(top.length, 3);
    assert.ok(rank <= 3 || rank === 3 + 1 + 12 / 2, `${rank}`);
  }
});

test('float16 takes half the bytes of float32 and int8 less again; scores change by little', () => {
  const single = evaluate('--index').predictions;
  const bytes = () => JSON.parse(readFileSync(join(index, 'index.json'), 'utf8')).bytesPerEntity as number;
  const before = bytes();
  build('--dtype', 'float16');
  const halved = bytes();
  assert.ok(halved < 0.6 * before);
  const half = evaluate('--index').predictions;
  build('--dtype', 'int8');
  assert.ok(bytes() < 0.9 * halved, `${bytes()} ${halved}`);
  for (const predictions of [half, evaluate('--index').predictions]) {
    for (const [i, { top }] of predictions.entries()) {
      const [a, b] = [top[0]!.score, single[i]!.top[0]!.score];
      assert.ok(Math.abs(a - b) <= 1e-2 * Math.max(1, Math.abs(b)), `${a} ${b}`);
    }
  }
});

test('a build that is killed leaves no index, and goes on with the shards that are done', async () => {
  rmSync(index, { recursive: true });
  const flags = [...runtimeFlags, join(root, 'eval/index.ts'), ...toy.flags, '--run', run, '--shard', '1'];
  const child = spawn(process.execPath, flags);
  const closed = new Promise((resolve) => child.on('close', resolve));
  const poll = setInterval(() => {
    const shards = existsSync(index)
      ? readdirSync(index).filter((name) => name.endsWith('.safetensors'))
      : [];
    if (shards.length >= 3) child.kill('SIGKILL');
  }, 2);
  await closed;
  clearInterval(poll);
  const done = readdirSync(index).filter((name) => name.endsWith('.safetensors'));
  assert.ok(done.length >= 3 && done.length < 16, `${done.length} shards`);
  assert.not.ok(existsSync(join(index, 'index.json')));
  refused(['--index'], /index\.json: no such file; an index has to be built first$/);
  const times = done.map((name) => statSync(join(index, name)).mtimeMs);
  assert.match(build('--shard', '1'), new RegExp(`; ${done.length} of 16 shards were there already`));
  assert.equal(
    done.map((name) => statSync(join(index, name)).mtimeMs),
    times,
  );
  evaluate('--index');
});

test('a damaged or foreign index is refused in one line', () => {
  build();
  const [first, second] = ['-00000', '-00001'].map((number) =>
    readdirSync(index).find((name) => name.endsWith(`${number}.safetensors`)),
  );
  const shard = join(index, second!);
  const content = readFileSync(shard);
  writeFileSync(shard, content.subarray(0, content.length - 100));
  refused(['--index'], /^[^\n]*-00001\.safetensors: [^\n]*$/);
  rmSync(shard);
  refused(['--index'], /-00001\.safetensors: no such file/);
  writeFileSync(shard, readFileSync(join(index, first!)));
  refused(['--index'], /-00001\.safetensors: is not the shard that index\.json means/);
  build();
  const head = join(index, 'index.json');
  const text = readFileSync(head, 'utf8');
  writeFileSync(head, text.slice(0, 40));
  refused(['--index'], /index\.json: expected JSON/);
  writeFileSync(head, text);
  train('pair');
  refused(
    ['--index'],
    /index\.json: belongs to another model than there is now; the index has to be built again$/,
  );
});

test('a gate is refused for experts that were trained again since', () => {
  const flags = ['--run', run, '--expert', 'text', ...small, '--prompt-depth', '1', '--seed', '2'];
  const { status, stderr } = script('train/expert.ts', [...toy.flags, ...flags]);
  assert.is(status, 0, stderr);
  refused(
    [],
    /gate\/best\.safetensors: was trained with other experts \(text, multimodal\) than the run has now/,
  );
});

test.after(() => removeToy(toy));

test.run();

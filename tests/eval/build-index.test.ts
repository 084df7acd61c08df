// The entity index on toy data: the same answers as from encoded entities, and what it refuses.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildIndex, indexKnowledgeBase } from '../../eval/build-index.ts';
import { evaluate as evaluateRun } from '../../eval/evaluate.ts';
import { openLinker } from '../../link/linker.ts';
import { openModelBase } from '../../link/model-base.ts';
import { checkConfig } from '../../train/config/check.ts';
import { indexSchema } from '../../train/config/schemas.ts';
import { trainExpert } from '../../train/experts/train-expert.ts';
import { trainGate } from '../../train/gating/train-gate.ts';
import { device } from '../support/device.ts';
import {
  commandOf,
  makeToy,
  openToy,
  refusal,
  removeToy,
  runFolder,
  toyEvaluation,
  toyExpert,
  toyGate,
} from '../support/toy-run.ts';

const toy = await makeToy(device);
const session = await openToy(toy, device);
const run = runFolder(toy, 'run');
const index = join(run, 'index');
for (const kind of ['text', 'multimodal'] as const) {
  await trainExpert(await toyExpert(toy, 'run', kind, { 'training.learningRate': 5e-4 }), session);
}

async function train(by: 'pair' | 'mention'): Promise<void> {
  const fields = { 'gate.by': by, 'gate.calibrate': true, 'training.learningRate': 0.05 };
  await trainGate(await toyGate(toy, 'run', fields), session);
}

/** Builds the index and returns how many shards were there already. */
async function build(dtype: 'int8' | 'float16' | 'float32' = 'int8', shard = 5): Promise<number> {
  const config = checkConfig(indexSchema, {
    data: { folder: toy.data },
    clip: { folder: toy.clip },
    run: { folder: run },
    index: { dtype, shard },
  });
  return (await buildIndex(config, session)).kept;
}

async function onDev(fields: Readonly<Record<string, unknown>>): Promise<void> {
  await evaluateRun(await toyEvaluation(toy, 'run', { 'evaluation.split': 'dev', ...fields }), session);
}

const fromIndex = { 'evaluation.index': true };

/** What evaluation on dev writes. */
async function evaluate(fields: Readonly<Record<string, unknown>> = {}) {
  await onDev(fields);
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

async function refused(message: RegExp): Promise<void> {
  assert.match((await refusal(() => onDev(fromIndex))).message, message);
}

for (const by of ['pair', 'mention'] as const) {
  test(`a gate by ${by}: the index gives the answers of encoded entities`, async () => {
    await train(by);
    const direct = await evaluate();
    await build('float32');
    const indexed = await evaluate(fromIndex);
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

test('linking the mentions of dev gives the answers of its evaluation', async () => {
  const dev = JSON.parse(readFileSync(join(toy.data, 'toy_dev.json'), 'utf8')) as Record<string, string>[];
  const mentions = dev.map(({ mentions, sentence, imgPath }) => ({
    word: mentions!,
    sentence: sentence!,
    image: imgPath === '' ? null : join(toy.data, 'mention_image', imgPath!),
  }));
  const { predictions } = await evaluate();
  const linker = await openLinker({ run, device });
  const indexed = await linker.link(mentions, { top: 5 });
  for (const [i, { top }] of predictions.entries()) {
    assert.equal(
      indexed[i]!.map(({ qid, expert }) => [qid, expert]),
      top.map(({ qid, expert }) => [qid, expert]),
      `mention ${i}`,
    );
    for (const [j, { score }] of top.entries()) {
      assert.ok(Math.abs(score - indexed[i]![j]!.score) <= 1e-4 * Math.abs(score), `${score}`);
    }
  }
  await linker.close();
});

test('a knowledge base alone, as JSON lines, is indexed in a folder of its own', async () => {
  const [kb, out] = [join(toy.folder, 'kb.jsonl'), join(toy.folder, 'my-kb')];
  const line = (id: number) => ({ id, name: `thing ${id}`, description: 'a thing', images: [] });
  writeFileSync(kb, [1, 2, 3].map((id) => `${JSON.stringify(line(id))}\n`).join(''));
  const common = { data: { folder: toy.data }, clip: { folder: toy.clip }, run: { folder: run } };
  const configOf = (more: object) => checkConfig(indexSchema, { ...common, ...more });
  const base = await openModelBase({ clip: toy.clip, device });
  const own = { knowledgeBase: { source: kb }, out: { folder: out } };
  const built = await indexKnowledgeBase(configOf(own), base);
  assert.equal([built.folder, built.head.entities, built.head.scorer], [out, 3, 'dsmip']);
  // A picture that cannot be read is told by each build, also by one that finds the shard there.
  writeFileSync(kb, `${JSON.stringify({ ...line(1), images: ['none.jpg'] })}\n`);
  for (const kept of [0, 1]) {
    const told: string[] = [];
    const again = await indexKnowledgeBase(configOf(own), base, { onWarning: (text) => told.push(text) });
    assert.is(again.kept, kept);
    assert.equal(told, [
      `entities: 1 image file missing, zeros in its place (${join(toy.folder, 'none.jpg')}: no such file)`,
    ]);
  }
  for (const [work, more, message] of [
    [
      indexKnowledgeBase,
      { knowledgeBase: { source: kb } },
      /^out\.folder: expected a folder for the index of knowledgeBase\.source$/,
    ],
    [indexKnowledgeBase, {}, /^knowledgeBase\.source: expected a file or a folder$/],
    [
      indexKnowledgeBase,
      { knowledgeBase: { source: `${kb}x` }, out: { folder: out } },
      /kb\.jsonlx: no such file/,
    ],
    [
      buildIndex,
      { out: { folder: out } },
      /^out\.folder: expected none without knowledgeBase\.source, found/,
    ],
  ] as const) {
    assert.match((await refusal(() => work(configOf(more), { ...base, ...session }))).message, message);
  }
  base.close();
});

test('predictions fit the metrics', async () => {
  const { metrics, predictions } = await evaluate({ 'evaluation.mean': true });
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

test('as many candidates as entities rank like no candidates; fewer are scored only', async () => {
  const mean = { 'evaluation.mean': true };
  const all = await evaluate(mean);
  const same = await evaluate({ ...mean, 'evaluation.candidates': 16 });
  assert.equal(same.metrics.systems, all.metrics.systems);
  assert.is(same.metrics.candidates.recall, 100);
  const few = await evaluate({ ...fromIndex, 'evaluation.candidates': 3 });
  assert.is(few.metrics.candidates.count, 3);
  assert.is(few.metrics.pairs.dsmip.ranked, 3 * few.metrics.mentions);
  for (const { rank, top } of few.predictions) {
    assert.is(top.length, 3);
    assert.ok(rank <= 3 || rank === 3 + 1 + 12 / 2, `${rank}`);
  }
});

test('float16 takes half the bytes of float32 and int8 less again; scores change by little', async () => {
  const single = (await evaluate(fromIndex)).predictions;
  const bytes = () => JSON.parse(readFileSync(join(index, 'index.json'), 'utf8')).bytesPerEntity as number;
  const before = bytes();
  await build('float16');
  const halved = bytes();
  assert.ok(halved < 0.6 * before);
  const half = (await evaluate(fromIndex)).predictions;
  await build('int8');
  assert.ok(bytes() < 0.9 * halved, `${bytes()} ${halved}`);
  for (const predictions of [half, (await evaluate(fromIndex)).predictions]) {
    for (const [i, { top }] of predictions.entries()) {
      const [a, b] = [top[0]!.score, single[i]!.top[0]!.score];
      assert.ok(Math.abs(a - b) <= 1e-2 * Math.max(1, Math.abs(b)), `${a} ${b}`);
    }
  }
});

test('a build that is killed leaves no index, and goes on with the shards that are done', async () => {
  rmSync(index, { recursive: true });
  const command = commandOf(['index', ...toy.flags, '--run', run, '--shard', '1']);
  const child = spawn(process.execPath, command);
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
  await refused(/index\.json: no such file; dsmip index builds it$/);
  const times = done.map((name) => statSync(join(index, name)).mtimeMs);
  assert.is(await build('int8', 1), done.length);
  assert.equal(
    done.map((name) => statSync(join(index, name)).mtimeMs),
    times,
  );
  await evaluate(fromIndex);
});

test('a damaged or foreign index is refused in one line', async () => {
  await build();
  const [first, second] = ['-00000', '-00001'].map((number) =>
    readdirSync(index).find((name) => name.endsWith(`${number}.safetensors`)),
  );
  const shard = join(index, second!);
  const content = readFileSync(shard);
  writeFileSync(shard, content.subarray(0, content.length - 100));
  await refused(/^[^\n]*-00001\.safetensors: [^\n]*$/);
  rmSync(shard);
  await refused(/-00001\.safetensors: no such file/);
  writeFileSync(shard, readFileSync(join(index, first!)));
  await refused(/-00001\.safetensors: is not the shard that index\.json means/);
  await build();
  const head = join(index, 'index.json');
  const text = readFileSync(head, 'utf8');
  writeFileSync(head, text.slice(0, 40));
  await refused(/index\.json: was damaged or edited/);
  writeFileSync(head, text.replace('"entities": 16', '"entities": 17'));
  await refused(/index\.json: was damaged or edited \(wrong checksum\); build the index again$/);
  writeFileSync(head, text);
  await train('pair');
  await refused(/index\.json: belongs to another model than there is now; the index has to be built again$/);
});

test('a gate is refused for experts that were trained again since', async () => {
  await trainExpert(await toyExpert(toy, 'run', 'text', { 'training.seed': 2 }), session);
  const { message } = await refusal(() => onDev({}));
  assert.match(
    message,
    /gate\/best\.safetensors: was trained with other experts \(text, multimodal\) than the run has now/,
  );
});

test.after(() => {
  session.close();
  removeToy(toy);
});

test.run();

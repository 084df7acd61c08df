// Stage 2 with a gate that mixes the probabilities of its experts, on toy data: against the same computed in float64 from the
// experts' scores, resumed to the same bits, evaluated and linked as it was trained; with two experts and with three.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluate } from '../../eval/evaluate.ts';
import { buildRunIndex } from '../../link/entity-index.ts';
import { openLinker } from '../../link/linker.ts';
import { loadLinkingModel } from '../../link/linking-model.ts';
import { prepareSplit, splitPass } from '../../link/split.ts';
import { loadDsmip, loadExperts } from '../../link/trained.ts';
import { readAbout } from '../../model/checkpoint.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { rankMentions } from '../../ranking/scoring-pass.ts';
import { trainExpert } from '../../train/experts/train-expert.ts';
import { trainGate } from '../../train/gating/train-gate.ts';
import { openSafetensors } from '../../weights/safetensors.ts';
import { device } from '../support/device.ts';
import {
  bytesOf,
  losses,
  makeToy,
  openToy,
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
for (const kind of ['text', 'visual', 'multimodal'] as const) {
  await trainExpert(await toyExpert(toy, 'run', kind), session);
}
const mixture = {
  'gate.form': 'mixture',
  'gate.hidden': 4,
  'training.epochs': 3,
  'training.learningRate': 0.05,
  'training.balance': 0.1,
};
const readMetrics = () => JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8'));

test('a mixture leaves the experts alone, and goes on after a stop to the same bits', async () => {
  const experts = () => ['text', 'multimodal'].map((kind) => bytesOf(run, kind, 'best.safetensors'));
  const before = experts();
  const config = await toyGate(toy, 'run', mixture);
  await trainGate(config, session);
  const files = () => [
    bytesOf(folder, 'last.safetensors'),
    bytesOf(folder, 'best.safetensors'),
    losses(folder),
  ];
  const whole = files();
  await trainGate(config, session, stopAfter(7)).catch(() => {});
  assert.ok(existsSync(`${folder}.new`));
  await trainGate(config, session, { resume: true });
  assert.equal(files(), whole);
  assert.equal(experts(), before);
});

for (const kinds of [
  ['text', 'multimodal'],
  ['text', 'visual', 'multimodal'],
] as const) {
  test(`the mixture of ${kinds.length} experts ranks as in float64, in memory and in an index`, async () => {
    await trainGate(await toyGate(toy, 'run', { ...mixture, 'gate.experts': [...kinds] }), session);
    const expected = await inFloat64(kinds);
    const { scorer } = (await loadDsmip(session, run))!;
    const split = await prepareSplit(session, [scorer], 'dev');
    const { systems } = await rankMentions({ ...splitPass([scorer], split), top: 5 });
    const { ranks, top, shares } = systems['dsmip']!;
    for (const [m, { scores, pi }] of expected.entries()) {
      const own = scores[split.gold[m]!]!;
      const near = scores.filter((score) => Math.abs(score - own) < 1e-4).length - 1;
      const higher = scores.filter((score) => score - own >= 1e-4).length;
      assert.ok(Math.abs(ranks[m]! - (1 + higher + near / 2)) <= near / 2, `rank of mention ${m}`);
      for (const { entity, score } of top[m]!) {
        assert.ok(Math.abs(score - scores[entity]!) < 1e-4, `mention ${m}, entity ${entity}: ${score}`);
      }
      pi.forEach((share, b) => {
        assert.ok(Math.abs(share - shares!.values[m]![b]!) < 1e-5, `share ${b} of mention ${m}`);
      });
    }

    await evaluate(
      await toyEvaluation(toy, 'run', { 'evaluation.split': 'dev', 'evaluation.mean': true }),
      session,
    );
    const direct = readMetrics();
    const { about } = await readAbout(join(folder, 'best.safetensors'));
    assert.equal(direct.systems.dsmip, about['dev']);
    assert.equal([direct.gate.form, direct.gate.experts], ['mixture', [...kinds]]);
    const sum = Object.values(direct.gate.picked.overall as Record<string, number>).reduce((a, b) => a + b);
    assert.ok(Math.abs(sum - 100) < 1e-3, `${sum}`);

    const model = await loadLinkingModel(session, run);
    await buildRunIndex(session, run, model, { dtype: 'float32', shard: 6 });
    model.release();
    await evaluate(
      await toyEvaluation(toy, 'run', { 'evaluation.split': 'dev', 'evaluation.index': true }),
      session,
    );
    assert.equal(readMetrics().systems.dsmip, direct.systems.dsmip);
    const linker = await openLinker({ run, device });
    const { word, sentence, image } = session.dataset.splits.dev[1]!;
    const [found] = await linker.link([{ word, sentence, image }], { top: 16 });
    await linker.close();
    assert.is(found!.length, 16);
    for (const { qid, score, expert } of found!) {
      const entity = session.dataset.entities.findIndex((other) => other.qid === qid);
      assert.ok(Math.abs(score - expected[1]!.scores[entity]!) < 1e-4);
      assert.is(expert, null);
    }
    const total = found!.reduce((all, { score }) => all + Math.exp(score), 0);
    assert.ok(Math.abs(total - 1) < 1e-4, 'scores are logarithms of probabilities');
  });
}

/** By mention of dev, log p(e | m) of all entities and the shares, from the experts' scores and the checkpoint's numbers. */
async function inFloat64(kinds: readonly ExpertKind[]): Promise<{ scores: number[]; pi: number[] }[]> {
  const file = await openSafetensors(join(folder, 'best.safetensors'));
  const read = async (name: string) => [...(await file.readFloats(name))];
  const [w0, b0] = [await read('gate.mention.0.weight'), await read('gate.mention.0.bias')];
  const [w1, b1] = [await read('gate.mention.1.weight'), await read('gate.mention.1.bias')];
  const [w2, b2] = [await read('gate.out.weight'), await read('gate.out.bias')];
  const scale = (await read('gate.log_scale')).map(Math.exp);
  const moment = async (name: string) =>
    (await file.read(`gate.statistics.mention.${name}`)) as Float64Array<ArrayBuffer>;
  const [mean, deviation] = [await moment('mean'), await moment('deviation')];
  await file.close();
  const experts = await loadExperts(session, run, kinds);
  const split = await prepareSplit(session, experts, 'dev');
  const E = session.dataset.entities.length;
  const { systems } = await rankMentions({ ...splitPass(experts, split), top: E });
  return session.dataset.splits.dev.map(({ image }, m) => {
    const own = kinds.map((kind) => {
      const scores = new Array<number>(E);
      for (const { entity, score } of systems[kind]!.top[m]!) scores[entity] = score;
      return scores;
    });
    const features = own.flatMap((scores) => {
      const s = scores.toSorted((a, b) => b - a).slice(0, 16) as [number, number, ...number[]];
      const average = sum(s) / s.length;
      const spread = Math.sqrt(sum(s.map((x) => (x - average) ** 2)) / (s.length - 1));
      const p = softmax(s);
      const lead = s[0] - s[1];
      const next = s[0] - sum(s.slice(1, 6)) / 5;
      return [lead, lead / (spread + 1e-6), next, -sum(p.map((x) => x * Math.log(x)))];
    });
    const standard = [...features, image === null ? 0 : 1].map((x, i) => (x - mean[i]!) / deviation[i]!);
    const h0 = layer(w0, b0, standard).map((x) => (x < 0 ? 0.01 * x : x));
    const h1 = layer(w1, b1, h0).map((x) => (x < 0 ? 0.01 * x : x));
    const pi = softmax(layer(w2, b2, h1));
    const p = own.map((scores, b) => softmax(scores.map((x) => scale[b]! * x)));
    const scores = Array.from({ length: E }, (_, e) =>
      Math.log(sum(pi.map((share, b) => share * p[b]![e]!))),
    );
    return { scores, pi };
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, x) => total + x, 0);
}

function softmax(values: readonly number[]): number[] {
  const top = Math.max(...values);
  const raised = values.map((x) => Math.exp(x - top));
  const total = sum(raised);
  return raised.map((x) => x / total);
}

function layer(weight: readonly number[], bias: readonly number[], x: readonly number[]): number[] {
  return bias.map((b, row) => b + sum(x.map((value, i) => value * weight[row * x.length + i]!)));
}

test.after(() => {
  session.close();
  removeToy(toy);
});

test.run();

// Kinds of mentions: which of them train, and figures of each.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluate } from '../../eval/evaluate.ts';
import { type KindResults, readResults, resultTable } from '../../eval/results.ts';
import { checkedJson } from '../../files/json/checked-json.ts';
import { metricsOf } from '../../ranking/metrics.ts';
import { trainBaseline } from '../../train/baselines/train-baseline.ts';
import { trainExpert } from '../../train/experts/train-expert.ts';
import { trainGate } from '../../train/gating/train-gate.ts';
import { openSafetensors } from '../../weights/safetensors.ts';
import { device } from '../support/device.ts';
import {
  losses,
  makeToy,
  openToy,
  refusal,
  removeToy,
  runFolder,
  type Toy,
  toyBaseline,
  toyEvaluation,
  toyExpert,
  toyGate,
} from '../support/toy-run.ts';

const [plain, mixed] = [await makeToy(device), await makeToy(device)];
for (const split of ['train', 'dev', 'test']) {
  const file = join(mixed.data, `toy_${split}.json`);
  const glosses = JSON.parse(readFileSync(file, 'utf8')) as { id: number; sentence: string }[];
  const sentences = glosses.slice(0, 6).map(({ id, sentence, ...mention }) => ({
    ...mention,
    id: `s${id}`,
    sentence: `yesterday at the station by the old river we all saw that ${sentence}`,
    imgPath: '',
    kind: 'sentence',
  }));
  writeFileSync(
    file,
    JSON.stringify([...glosses.map((mention) => ({ ...mention, kind: 'gloss' })), ...sentences]),
  );
}
const sessions = new Map<Toy, Awaited<ReturnType<typeof openToy>>>();
for (const toy of [plain, mixed]) sessions.set(toy, await openToy(toy, device));
test.after(() => {
  for (const [toy, session] of sessions) {
    session.close();
    removeToy(toy);
  }
});

async function train(toy: Toy, run: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const session = sessions.get(toy)!;
  for (const kind of ['text', 'multimodal'] as const) {
    await trainExpert(await toyExpert(toy, run, kind, fields), session);
  }
  await trainGate(await toyGate(toy, run, fields), session);
  await trainBaseline(await toyBaseline(toy, run, 'clip-head', fields), session);
}

const systems = ['text', 'multimodal', 'gate', 'clip-head'];

test('trained on one kind, weights and validation are those of a data set without the other, to the bit', async () => {
  await train(plain, 'run', {});
  await train(mixed, 'glosses', { 'training.kinds': ['gloss'] });
  await train(mixed, 'run', {});
  for (const system of systems) {
    const [ours, theirs, all] = await Promise.all([
      weightsOf(mixed, 'glosses', system),
      weightsOf(plain, 'run', system),
      weightsOf(mixed, 'run', system),
    ]);
    assert.equal(ours, theirs, system);
    assert.not.equal(all, theirs, system);
    const course = (toy: Toy, run: string) => losses(join(runFolder(toy, run), system));
    assert.equal(course(mixed, 'glosses'), course(plain, 'run'), system);
  }
});

test('figures of all mentions and of each kind; predictions say the kind', async () => {
  const config = await toyEvaluation(mixed, 'run', { 'evaluation.mean': true });
  const files = await evaluate(config, sessions.get(mixed)!);
  const results = await readResults(files.metrics);
  const predictions = readFileSync(files.predictions, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; ranks: Record<string, number> });
  assert.is(results.mentions, 16);
  assert.equal(Object.keys(results.kinds), ['gloss', 'sentence']);
  for (const [kind, { mentions, systems, picked }] of Object.entries(results.kinds)) {
    const own = predictions.filter((prediction) => prediction.kind === kind);
    assert.is(mentions, kind === 'gloss' ? 10 : 6);
    assert.is(own.length, mentions);
    assert.equal(Object.keys(systems).sort(), Object.keys(results.systems).sort());
    for (const [name, metrics] of Object.entries(systems)) {
      assert.equal(metrics, metricsOf(own.map(({ ranks }) => ranks[name]!)), `${kind} ${name}`);
    }
    const shares = Object.values(picked!.overall).reduce((sum, share) => sum + share, 0);
    assert.ok(Math.abs(shares - 100) < 1e-9, `${shares}`);
  }
  // Pairs of either kind make up all pairs.
  for (const expert of results.gate!.experts) {
    const share = ({ mentions, picked }: KindResults) => mentions * (picked!.overall[expert] ?? 0);
    const sum = Object.values(results.kinds).reduce((total, kind) => total + share(kind), 0);
    assert.ok(Math.abs(sum / 16 - results.gate!.picked.overall[expert]!) < 1e-9, expert);
  }
  const [text] = resultTable(results).slice(-Object.keys(results.systems).length);
  assert.match(resultTable(results).join('\n'), /H@1 \/ MRR +gloss \(10\) +sentence \(6\)/);
  assert.match(text!, /[\d.]+ \/ [\d.]+ +[\d.]+ \/ [\d.]+$/);
});

test('a data set without kinds has figures of all mentions only, and trains on all whatever the kinds', async () => {
  const { metrics, predictions } = await evaluate(await toyEvaluation(plain, 'run'), sessions.get(plain)!);
  const results = await readResults(metrics);
  assert.equal(results.kinds, {});
  assert.not.match(resultTable(results).join('\n'), /gloss/);
  assert.not.ok('kind' in JSON.parse(readFileSync(predictions, 'utf8').split('\n')[0]!));
  const before = await weightsOf(plain, 'run', 'text');
  const config = await toyExpert(plain, 'run', 'text', { 'training.kinds': ['sentence'] });
  await trainExpert(config, sessions.get(plain)!);
  assert.equal(await weightsOf(plain, 'run', 'text'), before);
});

test('metrics whose kinds are not what they should be are one line', async () => {
  const path = join(runFolder(mixed, 'run'), 'metrics.json');
  const { checksum: _, kinds, ...rest } = JSON.parse(readFileSync(path, 'utf8'));
  for (const [change, message] of [
    [{ version: 2 }, /version: expected 3; evaluate again, found 2/],
    [{ kinds: [] }, /kinds: expected an object/],
    [
      { kinds: { gloss: { ...kinds.gloss, systems: { text: {} } } } },
      /kinds: gloss: systems: text: hits@1: expected a number/,
    ],
    [
      { kinds: { gloss: { ...kinds.gloss, mentions: 'many' } } },
      /kinds: gloss: mentions: expected an integer/,
    ],
    [{ kinds: { gloss: {} } }, /kinds: gloss: expected an object with systems/],
  ] as const) {
    writeFileSync(path, checkedJson({ ...rest, kinds, ...change }));
    assert.match((await refusal(() => readResults(path))).message, message);
  }
});

test('kinds that are not there, and parts of other kinds, are one line', async () => {
  const file = join(mixed.data, 'toy_dev.json');
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, before.replaceAll('"sentence"}', '"gloss"}'));
  const session = await openToy(mixed, device);
  const expert = async (fields: Readonly<Record<string, unknown>>) =>
    trainExpert(await toyExpert(mixed, 'other', 'text', fields), session);
  assert.match(
    (await refusal(() => expert({ 'training.kinds': ['sentence'] }))).message,
    /training\.kinds: expected kinds that dev has mentions of, found sentence/,
  );
  assert.match(
    (await refusal(() => expert({ 'training.kinds': [] }))).message,
    /training\.kinds: expected some of gloss, sentence, each once/,
  );
  session.close();
  writeFileSync(file, before);
  const half = { 'training.holdOut': 0.5 };
  const own = sessions.get(mixed)!;
  for (const kind of ['text', 'multimodal'] as const) {
    await trainExpert(await toyExpert(mixed, 'half', kind, half), own);
  }
  const gate = await toyGate(mixed, 'half', { ...half, 'training.kinds': ['gloss'] });
  assert.match(
    (await refusal(() => trainGate(gate, own))).message,
    /training\.kinds gloss: .*best\.safetensors was trained with training\.kinds gloss,sentence/,
  );
});

/** The trained weights of a system's best epoch. */
async function weightsOf(toy: Toy, run: string, system: string): Promise<Record<string, unknown>> {
  const file = await openSafetensors(join(runFolder(toy, run), system, 'best.safetensors'));
  const { names } = file;
  const read = await Promise.all(names.map((name) => file.read(name)));
  await file.close();
  return Object.fromEntries(names.map((name, i) => [name, read[i]]));
}

test.run();

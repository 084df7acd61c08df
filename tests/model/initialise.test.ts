// Fresh parameters: their names and shapes are the reference's, their numbers what each declaration says.

import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../engine/autograd.ts';
import { Random } from '../../engine/random.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { readCase } from '../../eval/verify/case.ts';
import { expertConfig } from '../../eval/verify/expert.ts';
import { Clip, type ClipConfig } from '../../model/clip/clip.ts';
import {
  type ExpertConfig,
  type ExpertKind,
  expertKinds,
  expertPrompts,
  ScoringUnits,
} from '../../model/dsmip/experts.ts';
import { Gate } from '../../model/dsmip/gating/gate.ts';
import { initialise } from '../../model/initialise.ts';
import { contrastiveLoss } from '../../model/loss.ts';
import { countParameters, declared, type ParameterSource } from '../../model/parameter-source.ts';
import { device } from '../support/device.ts';
import { normal } from '../support/random.ts';

/** CLIP ViT-B/32. */
const clip: ClipConfig = {
  text: { width: 512, hidden: 2048, heads: 8, layers: 12, vocabulary: 49_408, maxLength: 77 },
  vision: { width: 768, hidden: 3072, heads: 12, layers: 12, imageSize: 224, patchSize: 32 },
  projection: 512,
};
const paper: ExpertConfig = { clip, prompts: { length: 2, depth: 9 }, hidden: 96 };

/** All that stage 1 trains of an expert while CLIP is frozen. */
const expert = (kind: ExpertKind, config: ExpertConfig) => (p: ParameterSource) => ({
  units: new ScoringUnits(p, kind, config),
  prompts: expertPrompts(p, kind, config),
});

test('at paper size the multimodal expert trains 7,548,515 parameters, 438,371 of them for scoring', () => {
  assert.is(countParameters(declared(expert('multimodal', paper))), 7_548_515);
  assert.is(countParameters(declared((p) => new ScoringUnits(p, 'multimodal', paper))), 438_371);
  const withoutPrompts = { ...paper, prompts: { length: 0, depth: 0 } };
  assert.is(countParameters(declared(expert('multimodal', withoutPrompts))), 438_371);
});

test('CLIP ViT-B/32 has 151,277,313 parameters', () => {
  assert.is(countParameters(declared((p) => new Clip(p, clip))), 151_277_313);
});

// The reference cases hold exactly what their networks need, so that a name or a shape too many shows as well.
const folder = (name: string) => fileURLToPath(new URL(`../cases/${name}`, import.meta.url));
const shapesOf = (specs: Iterable<readonly [string, { shape: readonly number[] }]>) =>
  [...specs].map(([name, { shape }]) => `${name} [${shape}]`).sort();

for (const kind of expertKinds) {
  test(`names and shapes of the ${kind} expert are the reference's`, async () => {
    const { config, parameters, expected } = await readCase(folder(`expert-${kind}`));
    const trained = [...parameters].filter(([name]) => expected.has(`grad/${name}`));
    assert.equal(shapesOf(declared(expert(kind, expertConfig(config)))), shapesOf(trained));
  });
}

test("names and shapes of the gate and of CLIP are the reference's", async () => {
  const gate = await readCase(folder('gate'));
  const width = gate.parameters.get('gate.mention.0.weight')!.shape[1]!;
  assert.equal(
    shapesOf(declared((p) => new Gate(p, { hidden: 20, experts: 3 }, width))),
    shapesOf(gate.parameters),
  );
  const { config, parameters } = await readCase(folder('clip'));
  const named = [...declared((p) => new Clip(p, expertConfig(config).clip))];
  assert.equal(shapesOf(named.filter(([name]) => name !== 'logit_scale')), shapesOf(parameters));
});

test('a seed gives the same trainable parameters again, another seed others', async () => {
  const small = { ...paper, clip: { ...clip, text: { ...clip.text, width: 8 } }, hidden: 4 };
  const draw = async (kind: ExpertKind, seed: number) => {
    const { tensors } = initialise(device, new Random(seed), expert(kind, small));
    assert.ok(
      [...tensors].every(([name, tensor]) => tensor.name === name && tensor.requiresGrad && !tensor.node),
    );
    return Promise.all(
      [...tensors].map(async ([name, tensor]) => [name, ...(await tensor.read())].join(' ')),
    );
  };
  assert.equal(await draw('text', 5), await draw('text', 5));
  assert.not.equal(await draw('text', 5), await draw('text', 6));
});

test('linear layers start uniform within 1 / sqrt(inputs), norms at 1 and 0, the gate at bias 1', async () => {
  const { tensors } = initialise(device, new Random(1), (p) => ({
    units: new ScoringUnits(p, 'text', paper),
    gate: new Gate(p, { hidden: 64, experts: 3 }, 128),
  }));
  const read = async (name: string) => [...(await tensors.get(name)!.read())];
  const query = await read('text_unit.query.weight');
  const bound = 512 ** -0.5;
  const [low, high] = query.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [0, 0]) as [
    number,
    number,
  ];
  assert.ok(low >= -bound && low < -0.99 * bound && high <= bound && high > 0.99 * bound, `${low} ${high}`);
  const square = query.reduce((sum, v) => sum + v * v, 0) / query.length;
  assert.ok(Math.abs(square / (bound ** 2 / 3) - 1) < 0.02, 'variance');
  assert.ok((await read('text_cls_norm.weight')).every((v) => v === 1));
  assert.ok((await read('text_cls_norm.bias')).every((v) => v === 0));
  assert.equal(await read('gate.out.bias'), [1, 1, 1]);
});

test('a local term that starts at zero leaves the dot product of the embeds alone, and learns from the first step on', async () => {
  const small = { ...paper, clip: { ...clip, text: { ...clip.text, width: 8 }, projection: 6 }, hidden: 4 };
  const { module, tensors } = initialise(
    device,
    new Random(2),
    (p) => new ScoringUnits(p, 'text', small, 'zero'),
  );
  const text = (n: number, seed: number) => ({
    tokens: device.tensor([n, 3, 8], normal(n * 3 * 8, seed)),
    embeds: device.tensor([n, 6], normal(n * 6, seed + 1)),
    mask: device.tensor([n, 3], new Int32Array(3 * n).fill(1)),
  });
  const [mention, entity] = [text(4, 1), text(5, 3)];
  const scores = module.scores({ text: mention }, { text: entity });
  const norm = (x: Float32Array) => {
    const mean = x.reduce((a, b) => a + b) / x.length;
    const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
    return x.map((v) => (v - mean) / Math.sqrt(variance + 1e-5));
  };
  const rows = async (x: Tensor) =>
    x
      .read()
      .then((data) =>
        Array.from({ length: x.shape[0]! }, (_, i) => norm(Float32Array.from(data.slice(6 * i, 6 * i + 6)))),
      );
  const [m, e] = [await rows(mention.embeds), await rows(entity.embeds)];
  const found = await scores.read();
  m.forEach((a, i) => {
    e.forEach((b, j) => {
      const expected = a.reduce((sum, v, k) => sum + v * b[k]!, 0) / 2;
      assert.ok(Math.abs(found[5 * i + j]! - expected) < 1e-5, `${found[5 * i + j]} ${expected}`);
    });
  });
  const gradients = backward(contrastiveLoss(scores, Int32Array.from([0, 1, 2, 3, 4])));
  const gradient = await gradients.get(tensors.get('text_unit.cls.weight')!)!.read();
  assert.ok(gradient.some((v) => Math.abs(v) > 1e-3));
});

test.run();

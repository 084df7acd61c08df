// Scores from scoring vectors are those of the units that training uses, and of float64 on the host.

import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { noGrad } from '../../../engine/autograd.ts';
import { EngineError } from '../../../engine/errors.ts';
import { embedding } from '../../../engine/ops/embedding.ts';
import { reshape } from '../../../engine/ops/shape.ts';
import { packHalves, unpackHalves } from '../../../engine/ops/storage/half.ts';
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { readCase } from '../../../eval/verify/case.ts';
import { encodersOf, expertConfig, expertInput } from '../../../eval/verify/expert.ts';
import {
  type EntityFeatures,
  entityOperands,
  entityVectors,
  mentionVectors,
  pairScores,
} from '../../../model/dsmip/expert-vectors.ts';
import {
  allExpertKinds,
  type ExpertFeatures,
  type ExpertKind,
  expertKinds,
  ScoringUnits,
} from '../../../model/dsmip/experts.ts';
import { declared } from '../../../model/parameter-source.ts';
import { ParameterStore } from '../../../model/parameter-store.ts';
import { device } from '../../support/device.ts';
import { assertClose } from '../../support/gradient.ts';
import { normal } from '../../support/random.ts';
import { forBothRowShapes } from '../../support/row-shapes.ts';

interface Sizes {
  M: number;
  E: number;
  L: number;
  N: number;
  h: number;
}
const [textWidth, visionWidth, projection] = [20, 28, 12];
const stack = { hidden: 8, heads: 1, layers: 1 };
const clip = {
  text: { ...stack, width: textWidth, vocabulary: 9, maxLength: 9 },
  vision: { ...stack, width: visionWidth, imageSize: 16, patchSize: 8 },
  projection,
};
const shapes: Sizes[] = [
  { M: 1, E: 1, L: 1, N: 1, h: 4 },
  { M: 3, E: 5, L: 7, N: 3, h: 8 },
  { M: 9, E: 70, L: 11, N: 5, h: 15 },
  { M: 17, E: 33, L: 21, N: 4, h: 96 },
];

/** An expert's scoring parameters, none of them where it starts, the vision unit's times `scale`. */
function parametersOf(kind: ExpertKind, h: number, seed: number, scale = 1): Map<string, Tensor> {
  const specs = declared((p) => new ScoringUnits(p, kind, { clip, hidden: h }));
  let drawn = seed;
  return new Map(
    [...specs].map(([name, { shape }]) => {
      const isWeight = /norm\.weight$/.test(name);
      const isInner = /vision_unit.*(cls|tokens)\.(weight|bias)$/.test(name);
      const spread = (isInner ? scale : 1) * (shape.length === 2 ? shape[1]! ** -0.5 : 0.3);
      const data = normal(sizeOf(shape), ++drawn).map((x) => (isWeight ? 1 : 0) + spread * x);
      return [name, device.tensor(shape, data, { name })];
    }),
  );
}

function unitsOf(kind: ExpertKind, h: number, tensors: Map<string, Tensor>): ScoringUnits {
  return new ScoringUnits(new ParameterStore(tensors), kind, { clip, hidden: h });
}

/** Features of n samples with texts of different lengths. */
function featuresOf(n: number, { L, N }: Sizes, seed: number): ExpertFeatures & { lengths: number[] } {
  const lengths = Array.from({ length: n }, (_, i) => 1 + ((i * 5 + L - 1) % L));
  const mask = lengths.flatMap((length) => Array.from({ length: L }, (_, i) => (i < length ? 1 : 0)));
  return {
    lengths,
    text: {
      embeds: device.tensor([n, projection], normal(n * projection, seed)),
      tokens: device.tensor([n, L, textWidth], normal(n * L * textWidth, seed + 1)),
      mask: device.tensor([n, L], Int32Array.from(mask)),
    },
    image: {
      embeds: device.tensor([n, projection], normal(n * projection, seed + 2)),
      tokens: device.tensor([n, N, visionWidth], normal(n * N * visionWidth, seed + 3)),
    },
  };
}

/** The same without padding. */
function ragged({ text, image }: ExpertFeatures, mask: Int32Array): EntityFeatures {
  const features: EntityFeatures = image ? { image } : {};
  if (!text) return features;
  const [n, L, width] = text.tokens.shape as [number, number, number];
  const rows = Int32Array.from([...mask.keys()].filter((i) => mask[i]));
  const offsets = new Int32Array(n + 1);
  for (let i = 0; i < n; i++)
    offsets[i + 1] = offsets[i]! + rows.filter((row) => Math.floor(row / L) === i).length;
  const tokens = embedding(reshape(text.tokens, [n * L, width]), device.tensor([rows.length], rows));
  return { ...features, text: { tokens, offsets, embeds: text.embeds } };
}

async function raggedOf(features: ExpertFeatures): Promise<EntityFeatures> {
  const mask = features.text ? await device.read<'i32'>(features.text.mask) : new Int32Array(0);
  return ragged(features, mask);
}

/** Scores from vectors. */
async function fromVectors(
  units: ScoringUnits,
  mention: ExpertFeatures,
  entity: ExpertFeatures,
  rounded?: (x: Tensor) => Tensor,
): Promise<Float32Array> {
  const features = await raggedOf(entity);
  return device.scope(() =>
    device.read<'f32'>(
      noGrad(() => {
        const e = entityOperands(entityVectors(units, features, rounded));
        return pairScores(units.kind, mentionVectors(units, mention), e);
      }),
    ),
  );
}

forBothRowShapes((shape, within) => {
  for (const kind of allExpertKinds) {
    test(
      `${kind}: scores from vectors are the training units' at every shape (${shape})`,
      within(async () => {
        for (const [i, sizes] of shapes.entries()) {
          const units = unitsOf(kind, sizes.h, parametersOf(kind, sizes.h, 10 * i + 1));
          const [m, e] = [featuresOf(sizes.M, sizes, 20 + i), featuresOf(sizes.E, sizes, 50 + i)];
          const expected = await device.read<'f32'>(noGrad(() => units.scores(m, e)));
          const found = await fromVectors(units, m, e);
          assertClose(found, expected, 1e-4, `${kind} ${JSON.stringify(sizes)}`);
        }
      }),
    );
  }
});

test('a pair has the same bits in every tile', async () => {
  const sizes = shapes[2]!;
  for (const kind of allExpertKinds) {
    const units = unitsOf(kind, sizes.h, parametersOf(kind, sizes.h, 7));
    const [m, e] = [featuresOf(sizes.M, sizes, 1), featuresOf(sizes.E, sizes, 2)];
    const all = await fromVectors(units, m, e);
    const one = await fromVectors(units, await only(m, 4, sizes.L), await only(e, 31, sizes.L));
    assert.is(one[0], all[4 * sizes.E + 31], kind);
  }
});

/** One sample, its text without padding. */
async function only(features: ReturnType<typeof featuresOf>, at: number, L: number): Promise<ExpertFeatures> {
  const length = features.lengths[at]!;
  const rows = async (x: Tensor, elements: number, shape: number[], keep = elements) => {
    const data = await device.read<'f32'>(x);
    return device.tensor(shape, data.slice(at * elements, at * elements + keep));
  };
  const { text, image } = features;
  const N = image!.tokens.shape[1]!;
  return {
    text: {
      embeds: await rows(text!.embeds, projection, [1, projection]),
      tokens: await rows(text!.tokens, L * textWidth, [1, length, textWidth], length * textWidth),
      mask: device.tensor([1, length], new Int32Array(length).fill(1)),
    },
    image: {
      embeds: await rows(image!.embeds, projection, [1, projection]),
      tokens: await rows(image!.tokens, N * visionWidth, [1, N, visionWidth]),
    },
  };
}

test("the vision unit's bilinear form is float64's score, also where the variance is next to nothing", async () => {
  const sizes = { M: 6, E: 19, L: 1, N: 2, h: 24 };
  for (const [scale, tolerance] of [
    [1, 2e-5],
    [20, 2e-5],
    [0.03, 2e-5],
    [1e-3, 2e-5],
  ] as const) {
    const tensors = parametersOf('visual', sizes.h, 3, scale);
    const [m, e] = [featuresOf(sizes.M, sizes, 5), featuresOf(sizes.E, sizes, 6)];
    const found = await fromVectors(unitsOf('visual', sizes.h, tensors), m, e);
    const expected = await visionReference(tensors, sizes.h, m, e);
    assertClose(found, expected, tolerance, `scale ${scale}`);
  }
});

/** vision-unit.ts in float64. */
async function visionReference(
  tensors: Map<string, Tensor>,
  h: number,
  mention: ExpertFeatures,
  entity: ExpertFeatures,
): Promise<number[]> {
  const values = new Map<string, Float64Array>();
  for (const [name, tensor] of tensors) values.set(name, Float64Array.from(await device.read<'f32'>(tensor)));
  const linear = (name: string, x: number[], outputs = h) =>
    Array.from({ length: outputs }, (_, o) => {
      const weight = values.get(`${name}.weight`)!;
      return x.reduce((sum, v, i) => sum + v * weight[o * x.length + i]!, values.get(`${name}.bias`)![o]!);
    });
  const norm = (name: string, x: number[]) => {
    const mean = x.reduce((a, b) => a + b, 0) / x.length;
    const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
    const [weight, bias] = [values.get(`${name}.weight`)!, values.get(`${name}.bias`)!];
    return x.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * weight[i]! + bias[i]!);
  };
  const side = async ({ image }: ExpertFeatures) => {
    const [embeds, tokens] = [
      await device.read<'f32'>(image!.embeds),
      await device.read<'f32'>(image!.tokens),
    ];
    const [n, N] = image!.tokens.shape as [number, number];
    return Array.from({ length: n }, (_, i) => {
      const each = Array.from({ length: N }, (_, t) => {
        const from = (i * N + t) * visionWidth;
        return norm(
          'image_token_norm',
          linear('image_tokens', [...tokens.subarray(from, from + visionWidth)]),
        );
      });
      return {
        cls: norm(
          'image_cls_norm',
          linear('image_cls', [...embeds.subarray(i * projection, (i + 1) * projection)]),
        ),
        mean: each[0]!.map((_, d) => each.reduce((sum, row) => sum + row[d]!, 0) / N),
      };
    });
  };
  const dual = (name: string, query: number[], key: number[], tokens: number[]) => {
    const q = linear(`${name}.cls`, query);
    const k = linear(`${name}.cls`, key);
    const v = linear(`${name}.tokens`, tokens);
    const context = linear(
      `${name}.fc`,
      norm(
        `${name}.add_norm`,
        v.map((x, i) => x + q[i]!),
      ),
    );
    const gate = Math.tanh(linear(`${name}.gate`, context, 1)[0]!);
    const out = norm(
      `${name}.norm`,
      context.map((c, i) => c * gate + k[i]!),
    );
    const normalised = norm(`${name}.norm`, q);
    return out.reduce((sum, x, i) => sum + x * normalised[i]!, 0);
  };
  const [mentions, entities] = [await side(mention), await side(entity)];
  return mentions.flatMap((m) =>
    entities.map((e) => {
      const toMention = dual('vision_unit.entity_to_mention', e.cls, m.cls, m.mean);
      return (toMention + dual('vision_unit.mention_to_entity', m.cls, e.cls, e.mean)) / 2;
    }),
  );
}

test('vectors stored as halves give scores that are off by a half’s precision', async () => {
  const sizes = shapes[3]!;
  const units = unitsOf('visual', sizes.h, parametersOf('visual', sizes.h, 4));
  const [m, e] = [featuresOf(sizes.M, sizes, 8), featuresOf(sizes.E, sizes, 9)];
  const expected = await fromVectors(units, m, e);
  const found = await fromVectors(units, m, e, (x) => unpackHalves(packHalves(x), x.shape));
  assert.not.equal([...found], [...expected]);
  assertClose(found, expected, 3e-3, 'scores');
});

for (const kind of expertKinds) {
  test(`${kind}: scores from vectors are the reference's`, async () => {
    const reference = await readCase(fileURLToPath(new URL(`../../cases/expert-${kind}`, import.meta.url)));
    const config = expertConfig(reference.config);
    const p = new ParameterStore(
      new Map(
        [...reference.parameters].map(([name, { shape, data }]) => [
          name,
          device.tensor(shape, data, { name }),
        ]),
      ),
    );
    const context = { device, config: reference.config, parameters: p, inputs: reference.inputs };
    const encoders = encodersOf(kind, p, config);
    const [m, e] = (['mention', 'entity'] as const).map((side) =>
      encoders.encode(side, expertInput(context, side)),
    );
    const found = await fromVectors(new ScoringUnits(p, kind, config), m!, e!);
    assertClose(found, reference.expected.get('output/scores')!.data, reference.tolerance, 'scores');
  });
}

test('an expert says which features or vectors it misses', () => {
  const missing = (message: RegExp) => (e: Error) => e instanceof EngineError && message.test(e.message);
  const units = (kind: ExpertKind) => unitsOf(kind, 8, parametersOf(kind, 8, 1));
  assert.throws(() => mentionVectors(units('text'), {}), missing(/^text expert: mention text .*missing$/));
  assert.throws(() => entityVectors(units('visual'), {}), missing(/^visual expert: entity image .*missing$/));
  assert.throws(() => pairScores('text', {}, {}), missing(/^text expert: mention text/));
});

test.run();

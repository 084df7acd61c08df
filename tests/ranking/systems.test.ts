// DSMIP's score of a pair from scoring vectors and logits of the gate, against the reference: the score of the expert with
// the largest pi.

import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { noGrad } from '../../engine/autograd.ts';
import { embedding } from '../../engine/ops/embedding.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { readCase } from '../../eval/verify/case.ts';
import { clipConfig } from '../../eval/verify/clip.ts';
import { encodersOf, expertConfig, expertInput } from '../../eval/verify/expert.ts';
import { gateConfig } from '../../eval/verify/gate.ts';
import { vggConfig } from '../../eval/verify/vgg.ts';
import { ClipTextEncoder } from '../../model/clip/clip.ts';
import {
  entityOperands,
  entityVectors,
  mentionVectors,
  pairScores,
} from '../../model/dsmip/expert-vectors.ts';
import { type ExpertFeatures, expertKinds, ScoringUnits, usesOf } from '../../model/dsmip/experts.ts';
import { Gate, gateFeatures } from '../../model/dsmip/gating/gate.ts';
import { ParameterStore } from '../../model/parameter-store.ts';
import { Vgg } from '../../model/vgg/vgg.ts';
import { choiceOf } from '../../ranking/gate-logits.ts';
import { chosenScores, weightedScores } from '../../ranking/systems.ts';
import { device } from '../support/device.ts';
import { assertClose } from '../support/gradient.ts';

const reference = await readCase(fileURLToPath(new URL('../cases/dsmip', import.meta.url)));
const { config } = reference;
const p = new ParameterStore(
  new Map(
    [...reference.parameters].map(([name, { shape, data }]) => [name, device.tensor(shape, data, { name })]),
  ),
);
const context = { device, config, parameters: p, inputs: reference.inputs };
const output = (name: string) => reference.expected.get(`output/${name}`)!;
const pi = output('pi');
const [M, E, B] = pi.shape as [number, number, number];

/** All experts' scores, from vectors. */
function scoresOfAll(): Tensor[] {
  return expertKinds.map((kind) => {
    const units = new ScoringUnits(p.under(`experts.${kind}`), kind, expertConfig(config));
    const encoders = encodersOf(kind, p, expertConfig(config));
    const [m, e] = (['mention', 'entity'] as const).map((side) =>
      encoders.encode(side, expertInput(context, side)),
    );
    const { mask } = expertInput(context, 'entity').texts;
    const prompts = usesOf(kind).prompts ? expertConfig(config).prompts.length : 0;
    const vectors = entityVectors(units, withoutPadding(e!, mask, prompts));
    return pairScores(kind, mentionVectors(units, m!), entityOperands(vectors));
  });
}

function withoutPadding({ text, image }: ExpertFeatures, mask: Int32Array, prompts: number) {
  if (!text) return { image: image! };
  const [n, L, width] = text.tokens.shape as [number, number, number];
  const own = mask.length / n;
  const isReal = (b: number, i: number) => i < prompts || mask[b * own + i - prompts] === 1;
  const rows: number[] = [];
  const offsets = [0];
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < L; i++) if (isReal(b, i)) rows.push(b * L + i);
    offsets.push(rows.length);
  }
  const ids = device.tensor([rows.length], Int32Array.from(rows));
  const tokens = embedding(reshape(text.tokens, [n * L, width]), ids);
  return {
    ...(image ? { image } : {}),
    text: { tokens, offsets: Int32Array.from(offsets), embeds: text.embeds },
  };
}

function logits(): { u: Tensor; v: Tensor } {
  const { tokenTable } = new ClipTextEncoder(p, clipConfig(config));
  const vgg = new Vgg(p, vggConfig(config));
  const [u, v] = (['mention', 'entity'] as const).map((side) => {
    const { texts, pixels } = expertInput(context, side);
    const f = gateFeatures(tokenTable, texts, vgg.encode(pixels));
    return new Gate(p, gateConfig(config), f.shape[1]!).logits(side, f);
  });
  return { u: u!, v: v! };
}

test("each pair has the reference's score of the expert with the largest pi, calibrated", async () => {
  const calibration = Float32Array.of(1, 2, 0.5, 0, -1, 3);
  const [found, u, v] = await device.scope(() =>
    noGrad(() => {
      const own = logits();
      const y = chosenScores(device.tensor([2, B], calibration), scoresOfAll(), { ...own, isShared: false });
      return Promise.all([y, own.u, own.v].map((tensor) => device.read<'f32'>(tensor)));
    }),
  );
  const expected = Array.from({ length: M * E }, (_, pair) => {
    const own = pi.data.subarray(pair * B, (pair + 1) * B);
    const choice = own.indexOf(Math.max(...own));
    const [m, e] = [Math.floor(pair / E), pair % E];
    assert.is(choiceOf(u!.subarray(m * B, (m + 1) * B), v!.subarray(e * B, (e + 1) * B)), choice);
    const score = output(`${expertKinds[choice]}_scores`).data[pair]!;
    return calibration[choice]! * score + calibration[B + choice]!;
  });
  assertClose(found!, expected, 2 * reference.tolerance, 'scores');
});

test('a weighted sum has the weights asked for; experts without a weight are not needed', async () => {
  const all = expertKinds.map((kind) => output(`${kind}_scores`).data);
  const scores = all.map((data) => device.tensor([M, E], data as Float32Array<ArrayBuffer>));
  const sum = weightedScores([0.2, 0, 0.8], [scores[0]!, null, scores[2]!]);
  assertClose(
    await device.read<'f32'>(sum),
    all[0]!.map((x, i) => 0.2 * x + 0.8 * all[2]![i]!),
    1e-6,
    'sum',
  );
  const mean = weightedScores([1 / 3, 1 / 3, 1 / 3], scores);
  assertClose(
    await device.read<'f32'>(mean),
    all[0]!.map((x, i) => (x + all[1]![i]! + all[2]![i]!) / 3),
    1e-6,
    'mean',
  );
});

test.run();

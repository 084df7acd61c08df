// Properties of the scores that no reference case shows; that values and gradients are right is tests/verify's matter.

import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EngineError, ShapeError } from '../../../engine/errors.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { readCase } from '../../../eval/verify/case.ts';
import { encodersOf, expertConfig, expertInput } from '../../../eval/verify/expert.ts';
import type { TextBatch } from '../../../model/clip/clip.ts';
import {
  type ExpertInput,
  type ExpertKind,
  expertKinds,
  ScoringUnits,
} from '../../../model/dsmip/experts.ts';
import { ParameterError, ParameterStore } from '../../../model/parameter-store.ts';
import { device } from '../../support/device.ts';
import { assertClose } from '../../support/gradient.ts';

const reference = await readCase(fileURLToPath(new URL('../../cases/expert-multimodal', import.meta.url)));
const config = expertConfig(reference.config);
const tensors = new Map<string, Tensor>(
  [...reference.parameters].map(([name, { shape, data }]) => [name, device.tensor(shape, data, { name })]),
);
const p = new ParameterStore(tensors);
const context = { device, config: reference.config, parameters: p, inputs: reference.inputs };
const [mentions, entities] = [expertInput(context, 'mention'), expertInput(context, 'entity')];
const [M, E] = [mentions.texts.count, entities.texts.count];

function scores(kind: ExpertKind, mention: ExpertInput, entity: ExpertInput, of = config): Tensor {
  const encoders = encodersOf(kind, p, of);
  const units = new ScoringUnits(p, kind, of);
  return units.scores(encoders.encode('mention', mention), encoders.encode('entity', entity));
}

/** The texts in rows of another length, padded with token `pad`. */
function padded({ ids, mask, count, length }: TextBatch, to: number, pad: number): TextBatch {
  const result = {
    ids: new Int32Array(count * to).fill(pad),
    mask: new Int32Array(count * to),
    count,
    length: to,
  };
  for (let b = 0; b < count; b++) {
    for (let i = 0; i < Math.min(length, to); i++) {
      result.mask[b * to + i] = mask[b * length + i]!;
      if (mask[b * length + i]) result.ids[b * to + i] = ids[b * length + i]!;
    }
  }
  return result;
}

for (const kind of ['text', 'multimodal'] as const) {
  test(`${kind}: a score does not depend on how a batch was padded`, async () => {
    const original = await scores(kind, mentions, entities).read();
    const { length } = mentions.texts;
    for (const [m, e, pad] of [
      [length, length, 5],
      [length + 3, length, 0],
      [length, length + 2, 7],
    ] as const) {
      const y = scores(
        kind,
        { ...mentions, texts: padded(mentions.texts, m, pad) },
        { ...entities, texts: padded(entities.texts, e, pad) },
      );
      assertClose(await y.read(), original, 2e-6, `padded to ${m} and ${e}`);
    }
  });
}

for (const kind of expertKinds) {
  test(`${kind}: a score does not depend on the other mentions and entities of its batch`, async () => {
    const all = await scores(kind, mentions, entities).read();
    const one = scores(kind, await only(mentions, M - 1), await only(entities, 1));
    assertClose(await one.read(), [all[(M - 1) * E + 1]!], 5e-6, 'score', 1);
  });
}

test('without prompts the multimodal expert scores, and scores otherwise', async () => {
  const without = { ...config, prompts: { length: 0, depth: 0 } };
  const y = scores('multimodal', mentions, entities, without);
  assert.equal([...y.shape], [M, E]);
  assert.not.equal([...(await y.read())], [...(await scores('multimodal', mentions, entities).read())]);
});

test('an expert says which input, features or parameter it misses', () => {
  const missing = (message: RegExp) => (e: Error) => e instanceof EngineError && message.test(e.message);
  assert.throws(
    () => encodersOf('multimodal', p, config).encode('entity', { texts: entities.texts }),
    missing(/^multimodal expert: entity pixels are missing$/),
  );
  const features = encodersOf('visual', p, config).encode('mention', mentions);
  assert.throws(
    () => new ScoringUnits(p, 'text', config).scores(features, features),
    missing(/^text expert: mention text features are missing$/),
  );
  assert.throws(
    () => new ScoringUnits(p, 'visual', { ...config, hidden: config.hidden + 1 }),
    (e: Error) => e instanceof ParameterError && /^image_cls\.weight: expected shape/.test(e.message),
  );
  const { image } = features;
  const torn = { image: { ...image!, embeds: device.zeros([1, config.clip.projection]) } };
  assert.throws(
    () => new ScoringUnits(p, 'visual', config).scores(torn, torn),
    (e: Error) => e instanceof ShapeError && /image features/.test(e.message),
  );
});

/** One sample of a batch. */
async function only({ texts, pixels }: Required<ExpertInput>, at: number): Promise<ExpertInput> {
  const { ids, mask, length } = texts;
  const [B, ...shape] = pixels.shape as [number, ...number[]];
  const size = pixels.size / B;
  const row = <T extends { slice(from: number, to: number): T }>(data: T, n: number) =>
    data.slice(at * n, (at + 1) * n);
  return {
    texts: { ids: row(ids, length), mask: row(mask, length), count: 1, length },
    pixels: device.tensor([1, ...shape], row(await device.read<'f32'>(pixels), size)),
  };
}

test.run();

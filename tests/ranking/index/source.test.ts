// What an index gives a scoring pass, on toy data: the same on a GPU, which unpacks it itself, as on a CPU adapter, and
// within its dtype's precision what encoding gives.

import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeRandomRun } from '../../../bench/scale/random-run.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { buildRunIndex, openRunIndex } from '../../../link/entity-index.ts';
import { loadLinkingModel } from '../../../link/linking-model.ts';
import { openSession } from '../../../link/session.ts';
import type { EntityOperands } from '../../../model/dsmip/expert-vectors.ts';
import { type IndexDtype, indexDtypes } from '../../../ranking/index/format.ts';
import { partsOf } from '../../../ranking/mixture.ts';
import { device } from '../../support/device.ts';
import { normal } from '../../support/random.ts';
import { makeToy, removeToy } from '../../support/toy-run.ts';

const toy = await makeToy();
const folder = join(toy.folder, 'run');
const session = await openSession({
  device,
  data: toy.data,
  clip: toy.clip,
  cache: '',
});
await makeRandomRun(session, folder, ['text', 'multimodal']);
const model = await loadLinkingModel(session, folder);
const parts = partsOf(model.scorer);
// Of two shards, out of order and with a neighbour.
const rows = [9, 3, 4, 15, 0];
const isCpu = device.isCpu;
const width = model.scorer.layout['text.embeds']!.columns;
const queries = device.tensor([3, width], normal(3 * width, 5));

/** All vectors of `rows`, expert after expert. */
async function vectors(dtype: IndexDtype, asGpu: boolean): Promise<Float32Array[]> {
  await buildRunIndex(session, folder, model, { dtype, shard: 7 });
  const index = await openRunIndex(session, folder, model);
  Object.assign(device, { isCpu: !asGpu });
  try {
    const load = await index.load(parts, rows);
    const similarities = await Promise.all(parts.map((part) => index.loadSimilarities(part, 2, 10)));
    const reads = device.scope(() =>
      [
        ...load().flatMap((side) => tensorsOf(side as EntityOperands)),
        ...similarities.map((of) => of(queries)),
      ].map((x) => device.read<'f32'>(x)),
    );
    return await Promise.all(reads);
  } finally {
    Object.assign(device, { isCpu });
    await index.close();
  }
}

function tensorsOf({ text, vision, crossModal }: EntityOperands): Tensor[] {
  const { queries, embeds, weights, bias } = text!;
  return [queries, embeds, weights, bias, vision?.vectors, vision?.scalars, crossModal].flatMap(
    (x) => x ?? [],
  );
}

/** Largest difference against the largest number of the reference. */
function distance(found: Float32Array, expected: Float32Array): number {
  assert.is(found.length, expected.length);
  const top = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return found.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i]!)), 0) / top;
}

const exact = await vectors('float32', false);

for (const dtype of indexDtypes) {
  test(`${dtype}: a GPU and a CPU adapter have the same numbers, near those of float32`, async () => {
    const onCpu = await vectors(dtype, false);
    const onGpu = await vectors(dtype, true);
    assert.is(onCpu.length, exact.length);
    assert.ok(onCpu.length >= 11, `${onCpu.length} tensors`);
    const isProduct = (i: number) => i >= onCpu.length - parts.length;
    const most = { float32: 0, float16: 1e-3, int8: 5e-3 }[dtype];
    onCpu.forEach((own, i) => {
      // Products are summed in another order.
      if (!isProduct(i)) assert.equal([...onGpu[i]!], [...own], `tensor ${i}`);
      else assert.ok(distance(onGpu[i]!, own) < 1e-5, `tensor ${i}`);
      const off = distance(own, exact[i]!);
      assert.ok(off <= (isProduct(i) ? 2 * most : most), `tensor ${i}: ${off}`);
    });
    const queries = distance(onCpu[0]!, exact[0]!);
    if (dtype !== 'float32') assert.ok(queries > 0, 'queries are rounded');
  });
}

test.after(() => removeToy(toy));

test.run();

// Positions for another grid against PyTorch's interpolation (position-grid-cases.json), and their gradient.

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { positionsFor } from '../../../model/albef/position-grid.ts';
import { device } from '../../support/device.ts';
import { assertClose, checkGradients } from '../../support/gradient.ts';

interface Case {
  from: number;
  to: number;
  positions: number[];
  expected: number[];
}
const { cases }: { cases: Case[] } = JSON.parse(
  readFileSync(new URL('./position-grid-cases.json', import.meta.url), 'utf8'),
);
const d = 2;

test('any grid becomes any other as in PyTorch, CLS stays', async () => {
  for (const { from, to, positions, expected } of cases) {
    const found = await device.scope(() => {
      const tensor = device.tensor([1, 1 + from ** 2, d], Float32Array.from(positions));
      return positionsFor(tensor, to).read();
    });
    assertClose(found, Float64Array.from(expected), 1e-6, `${from} to ${to}`);
  }
});

test('gradients flow back into the learned positions', async () => {
  const [from, to] = [3, 7];
  // Interpolation is linear: each learned position's share is what it alone becomes.
  const share = async (i: number) => {
    const one = new Float32Array((1 + from ** 2) * d);
    one[i] = 1;
    return device.scope(() => positionsFor(device.tensor([1, 1 + from ** 2, d], one), to).read());
  };
  const columns = await Promise.all(Array.from({ length: (1 + from ** 2) * d }, (_, i) => share(i)));
  await checkGradients({
    op: (positions) => positionsFor(positions, to),
    reference: (positions) =>
      Float64Array.from(columns[0]!, (_, j) => columns.reduce((sum, c, i) => sum + c[j]! * positions[i]!, 0)),
    shapes: [[1, 1 + from ** 2, d]],
  });
});

test('the own grid is the tensor itself', () => {
  const positions = device.zeros([1, 17, d]);
  assert.is(positionsFor(positions, 4), positions);
});

test.run();

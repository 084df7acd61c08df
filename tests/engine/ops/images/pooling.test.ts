// Pooling against a reference, NaN and odd sizes included.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDevice } from '../../../../engine/device.ts';
import { DtypeError, EngineError, ShapeError } from '../../../../engine/errors.ts';
import { adaptiveAveragePool, maxPool2x2 } from '../../../../engine/ops/images/pooling.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

const shapes = [
  [1, 1, 2, 2],
  [1, 1, 3, 2],
  [2, 3, 7, 5],
  [3, 1, 64, 67],
  [1, 2, 2, 131],
] as const;

test('the largest of 2 x 2, odd rows and columns left out', async () => {
  for (const shape of shapes) {
    const [images, channels, height, width] = shape;
    const x = normal(images * channels * height * width, 1);
    const [rows, columns] = [Math.floor(height / 2), Math.floor(width / 2)];
    const y = maxPool2x2(device.tensor(shape, x));
    assert.equal([...y.shape], [images, channels, rows, columns]);
    const expected = Array.from({ length: images * channels * rows * columns }, (_, i) => {
      const plane = Math.floor(i / (rows * columns));
      const at = (plane * height + 2 * (Math.floor(i / columns) % rows)) * width + 2 * (i % columns);
      return Math.max(x[at]!, x[at + 1]!, x[at + width]!, x[at + width + 1]!);
    });
    assert.equal([...(await y.read())], expected);
  }
});

test('NaN at any place of the four, and infinities, pass through max pooling', async () => {
  for (let place = 0; place < 4; place++) {
    const at = (value: number) => Array.from({ length: 4 }, (_, i) => (i === place ? value : i - 2));
    const pooled = async (value: number) =>
      (await maxPool2x2(device.tensor([1, 1, 2, 2], at(value))).read())[0];
    assert.ok(Number.isNaN(await pooled(Number.NaN)), `NaN at place ${place}`);
    assert.is(await pooled(Infinity), Infinity);
  }
  const low = device.tensor([1, 1, 2, 2], new Float32Array(4).fill(-Infinity));
  assert.is((await maxPool2x2(low).read())[0], -Infinity);
});

test('adaptive average pooling to smaller, equal and larger sizes', async () => {
  for (const [height, width, size] of [
    [1, 1, 1],
    [1, 1, 7],
    [7, 7, 7],
    [14, 14, 7],
    [9, 13, 7],
    [5, 3, 7],
    [8, 67, 2],
    [2, 2, 40],
  ] as const) {
    const planes = 3;
    const x = normal(planes * height * width, 2);
    const y = adaptiveAveragePool(device.tensor([1, planes, height, width], x), size);
    assert.equal([...y.shape], [1, planes, size, size]);
    const expected = Array.from({ length: planes * size * size }, (_, i) => {
      const [plane, row, column] = [Math.floor(i / size ** 2), Math.floor(i / size) % size, i % size];
      const area: number[] = [];
      for (let r = Math.floor((row * height) / size); r < Math.ceil(((row + 1) * height) / size); r++) {
        for (let c = Math.floor((column * width) / size); c < Math.ceil(((column + 1) * width) / size); c++) {
          area.push(x[(plane * height + r) * width + c]!);
        }
      }
      return area.reduce((a, b) => a + b) / area.length;
    });
    assertClose((await y.read()) as Float32Array, expected, 1e-6, `${height} x ${width} to ${size}`);
  }
});

test('NaN spoils only the means that hold it', async () => {
  const y = adaptiveAveragePool(device.tensor([1, 1, 2, 2], [Number.NaN, 1, Infinity, 3]), 2);
  assert.equal([...(await y.read())], [Number.NaN, 1, Infinity, 3]);
});

test('planes beyond a binding are pooled in parts', async () => {
  const small = await openDevice({ maxBindingBytes: 2048 });
  const x = normal(40 * 8 * 8, 3);
  const [whole, parts] = [device.tensor([4, 10, 8, 8], x), small.tensor([4, 10, 8, 8], x)];
  assert.equal([...(await maxPool2x2(parts).read())], [...(await maxPool2x2(whole).read())]);
  assert.equal(
    [...(await adaptiveAveragePool(parts, 4).read())],
    [...(await adaptiveAveragePool(whole, 4).read())],
  );
  small.destroy();
});

test('wrong operands are refused, and gradients', () => {
  const refused = (kind: typeof EngineError, run: () => unknown) =>
    assert.throws(run, (e: unknown) => e instanceof kind);
  refused(ShapeError, () => maxPool2x2(device.zeros([1, 1, 1, 4])));
  refused(ShapeError, () => maxPool2x2(device.zeros([4, 4])));
  refused(ShapeError, () => adaptiveAveragePool(device.zeros([1, 1, 4, 4]), 0));
  refused(DtypeError, () => maxPool2x2(device.zeros([1, 1, 4, 4], 'i32')));
  const parameter = device.parameter([1, 1, 2, 2], [1, 2, 3, 4], 'p');
  refused(EngineError, () => maxPool2x2(parameter));
  refused(EngineError, () => adaptiveAveragePool(parameter, 1));
});

test.run();

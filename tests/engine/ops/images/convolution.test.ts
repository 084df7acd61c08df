// The 3 x 3 convolution against a reference in float64, on odd sizes and in parts.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { noGrad } from '../../../../engine/autograd.ts';
import { type Device, openDevice } from '../../../../engine/device.ts';
import { DtypeError, type EngineError, ShapeError } from '../../../../engine/errors.ts';
import { conv3x3 } from '../../../../engine/ops/images/convolution.ts';
import { cast } from '../../../../engine/ops/storage/cast.ts';
import { device } from '../../../support/device.ts';
import { assertClose } from '../../../support/gradient.ts';
import { normal } from '../../../support/random.ts';

interface Case {
  images: number;
  channels: number;
  height: number;
  width: number;
  out: number;
}
const cases: Case[] = [
  { images: 1, channels: 1, height: 1, width: 1, out: 1 },
  { images: 1, channels: 1, height: 1, width: 17, out: 3 },
  { images: 2, channels: 3, height: 7, width: 7, out: 8 },
  { images: 1, channels: 5, height: 8, width: 6, out: 33 },
  { images: 3, channels: 2, height: 13, width: 15, out: 31 },
  { images: 1, channels: 17, height: 6, width: 29, out: 65 },
  { images: 1, channels: 64, height: 14, width: 14, out: 32 },
];

function operands({ images, channels, height, width, out }: Case) {
  return {
    x: normal(images * channels * height * width, 1),
    weight: normal(out * channels * 9, 2),
    bias: normal(out, 3),
  };
}

function convolve(on: Device, c: Case, options?: { relu?: boolean }): Promise<Float32Array> {
  const { x, weight, bias } = operands(c);
  const y = conv3x3(
    on.tensor([c.images, c.channels, c.height, c.width], x),
    on.tensor([c.out, c.channels, 3, 3], weight),
    on.tensor([c.out], bias),
    options,
  );
  assert.equal([...y.shape], [c.images, c.out, c.height, c.width]);
  return on.read<'f32'>(y);
}

test('values at odd shapes, with and without ReLU', async () => {
  for (const c of cases) {
    const { x, weight, bias } = operands(c);
    const expected = direct(c, x, weight, bias);
    assertClose(await convolve(device, c), expected, 1e-5, 'convolution');
    assertClose(
      await convolve(device, c, { relu: true }),
      expected.map((v) => Math.max(v, 0)),
      1e-5,
      'with ReLU',
    );
  }
});

test('the arrangement for GPUs, and images in parts, give the same bits', async () => {
  const small = await openDevice({ maxBindingBytes: 65_536 });
  const gpuLike = await openDevice();
  Object.assign(gpuLike, { isCpu: false });
  const many = { images: 20, channels: 4, height: 16, width: 16, out: 8 };
  for (const c of [...cases, many])
    assert.equal([...(await convolve(gpuLike, c))], [...(await convolve(device, c))]);
  assert.equal([...(await convolve(small, many))], [...(await convolve(device, many))]);
  small.destroy();
  gpuLike.destroy();
});

test('float16 weights are used as they are stored', async () => {
  if (!device.hasF16) return;
  const c = cases[4]!;
  const { x, weight, bias } = operands(c);
  const half = cast(device.tensor([c.out, c.channels, 3, 3], weight), 'f16');
  const stored = (await cast(half, 'f32').read()) as Float32Array;
  const y = conv3x3(
    device.tensor([c.images, c.channels, c.height, c.width], x),
    half,
    device.tensor([c.out], bias),
  );
  assertClose((await y.read()) as Float32Array, direct(c, x, stored, bias), 1e-5, 'convolution');
});

test('NaN and infinities reach the 3 x 3 positions around them, through ReLU too', async () => {
  const [x, weight] = [new Float32Array(8 * 8), new Float32Array(9).fill(1)];
  x[0] = Number.NaN;
  x[5 * 8 + 5] = Infinity;
  const y = conv3x3(device.tensor([1, 1, 8, 8], x), device.tensor([1, 1, 3, 3], weight), device.zeros([1]), {
    relu: true,
  });
  const expected = Array.from({ length: 64 }, (_, i) => {
    const [row, column] = [Math.floor(i / 8), i % 8];
    if (row < 2 && column < 2) return Number.NaN;
    return Math.abs(row - 5) < 2 && Math.abs(column - 5) < 2 ? Infinity : 0;
  });
  assert.equal([...(await y.read())], expected);
});

test('wrong operands are refused, and gradients', () => {
  const [x, weight, bias] = [device.zeros([1, 2, 4, 4]), device.zeros([3, 2, 3, 3]), device.zeros([3])];
  const refused = (kind: typeof EngineError, run: () => unknown) =>
    assert.throws(run, (e: unknown) => e instanceof kind);
  refused(ShapeError, () => conv3x3(device.zeros([1, 3, 4, 4]), weight, bias));
  refused(ShapeError, () => conv3x3(device.zeros([2, 4, 4]), weight, bias));
  refused(ShapeError, () => conv3x3(x, device.zeros([3, 2, 5, 5]), bias));
  refused(ShapeError, () => conv3x3(x, weight, device.zeros([2])));
  refused(DtypeError, () => conv3x3(x, device.zeros([3, 2, 3, 3], 'i32'), bias));
  const parameter = device.parameter([3], [1, 2, 3], 'b');
  assert.throws(
    () => conv3x3(x, weight, parameter),
    /b \[3\] f32 requires a gradient; conv3x3 has no backward/,
  );
  noGrad(() => conv3x3(x, weight, parameter));
});

function direct(
  { images, channels, height, width, out }: Case,
  x: Float32Array,
  weight: Float32Array,
  bias: Float32Array,
) {
  const y = new Float64Array(images * out * height * width);
  for (let i = 0; i < y.length; i++) {
    const [column, row] = [i % width, Math.floor(i / width) % height];
    const o = Math.floor(i / (width * height)) % out;
    const image = Math.floor(i / (width * height * out));
    let total = bias[o]!;
    for (let k = 0; k < channels * 9; k++) {
      const [r, c] = [row + (Math.floor(k / 3) % 3) - 1, column + (k % 3) - 1];
      if (r < 0 || r >= height || c < 0 || c >= width) continue;
      const line = (image * channels + Math.floor(k / 9)) * height + r;
      total += weight[o * channels * 9 + k]! * x[line * width + c]!;
    }
    y[i] = total;
  }
  return y;
}

test.run();

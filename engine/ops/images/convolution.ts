// The convolution of VGG, for frozen networks: forward only.

import { willRecord } from '../../autograd.ts';
import { linearGrid } from '../../device.ts';
import { DtypeError, EngineError, ShapeError } from '../../errors.ts';
import { rowParts } from '../../kernels/parts.ts';
import { checkOperands, describe, type Tensor } from '../../tensor.ts';
import { transpose } from '../shape.ts';

/** What one invocation of the kernel computes. */
const tile = { rows: 7, columns: 7, channels: 4 };

/**
 * x [B, C, H, W], weight [O, C, 3, 3] f32 or f16, bias [O] -> [B, O, H, W]: stride 1, zero padding 1, then
 * ReLU where asked for. Throws EngineError where a gradient would have to flow through.
 */
export function conv3x3(x: Tensor, weight: Tensor, bias: Tensor, options: { relu?: boolean } = {}): Tensor {
  check(x, weight, bias);
  const [images, channels, height, width] = x.shape as [number, number, number, number];
  const outChannels = weight.shape[0]!;
  const { device } = x;
  const tileRows = Math.ceil(height / tile.rows);
  const tileColumns = Math.ceil(width / tile.columns);
  const paddedHeight = tileRows * tile.rows + 2;
  const paddedWidth = tileColumns * tile.columns + 2;
  const perInput = channels * height * width;
  const perOutput = outChannels * height * width;
  const perPadded = channels * paddedHeight * paddedWidth;
  // Lanes of a CPU adapter are 8; on a GPU a warp shares its pixels among 16 and reads weights side by side.
  const [lanes, tiles] = device.isCpu ? [8, 1] : [16, 4];
  const y = device.empty([images, outChannels, height, width], 'f32', 'conv3x3');
  device.scope(() => {
    const stored = device.isCpu ? weight : transpose(weight, [1, 2, 3, 0]);
    const parts = rowParts(device, images, [4 * perInput, 4 * perOutput], 4 * perPadded);
    const padded = device.empty([parts[0]!.count, channels, paddedHeight, paddedWidth], 'f32', 'padded');
    for (const { first, count } of parts) {
      const params = {
        in_channels: channels,
        out_channels: outChannels,
        height,
        width,
        padded_height: paddedHeight,
        padded_width: paddedWidth,
        tile_columns: tileColumns,
        planes: count * channels,
      };
      device.run({
        kernel: 'convolution',
        entry: 'pad',
        buffers: { x: x.range(first * perInput, count * perInput), padding: padded },
        params,
        grid: linearGrid(count * channels * paddedHeight),
        bytes: 8 * count * perPadded,
      });
      device.run({
        kernel: 'convolution',
        entry: 'forward',
        constants: {
          LANES: lanes,
          TILES: tiles,
          TRANSPOSED: !device.isCpu,
          RELU: options.relu ?? false,
          Weight: weight.dtype,
        },
        buffers: { padded, weight: stored, bias, y: y.range(first * perOutput, count * perOutput) },
        params,
        grid: [
          Math.ceil((tileRows * tileColumns) / tiles),
          Math.ceil(outChannels / (tile.channels * lanes)),
          count,
        ],
        flops: 18 * channels * count * perOutput,
        bytes: 4 * (count * (perPadded + perOutput) + weight.size),
      });
    }
  });
  return y;
}

function check(x: Tensor, weight: Tensor, bias: Tensor): void {
  if (weight.dtype !== 'f32' && weight.dtype !== 'f16') {
    throw new DtypeError(`conv3x3: weight (${describe(weight)}) must be f32 or f16`);
  }
  checkOperands('conv3x3', { x, bias });
  checkOperands('conv3x3', { weight }, weight.dtype);
  const [outChannels, channels, rows, columns] = weight.shape;
  if (weight.rank !== 4 || rows !== 3 || columns !== 3) {
    throw new ShapeError(`conv3x3: weight (${describe(weight)}) must have shape [out, in, 3, 3]`);
  }
  if (x.rank !== 4 || x.shape[1] !== channels) {
    throw new ShapeError(`conv3x3: x (${describe(x)}) does not suit weight (${describe(weight)})`);
  }
  if (bias.rank !== 1 || bias.size !== outChannels) {
    throw new ShapeError(`conv3x3: bias (${describe(bias)}) does not suit weight (${describe(weight)})`);
  }
  if (willRecord(x, weight, bias)) {
    const trained = [x, weight, bias].find((operand) => operand.requiresGrad)!;
    throw new EngineError(`conv3x3: ${describe(trained)} requires a gradient; conv3x3 has no backward`);
  }
}

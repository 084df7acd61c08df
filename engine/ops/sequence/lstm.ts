// The recurrent part of an LSTM over sequences of different lengths, all steps in one dispatch.

import { record, willRecord } from '../../autograd.ts';
import type { BufferRange } from '../../device/pipelines.ts';
import { type Device, linearGrid } from '../../device.ts';
import { ShapeError } from '../../errors.ts';
import { rowParts } from '../../kernels/parts.ts';
import { gather } from '../../kernels/strided-copy.ts';
import { checkOperands, describe, type Tensor } from '../../tensor.ts';
import { linearWeightGradient } from '../linear.ts';

export interface LstmOptions {
  /** Goes through the steps from the last to the first. */
  reverse?: boolean;
}

/** Sequences that one workgroup computes: the components of a vector. */
const perGroup = 4;
const mostLanes = 256;

/**
 * The hidden state after the last step, [B, H], of sequences that begin with h = c = 0 (torch.nn.LSTM, one layer, one
 * direction). projected [B, L, 4H]: what the input gives each step's gates, x W_ih^T + b_ih + b_hh, in the order i, f, g, o;
 * weight [4H, H]: W_hh; both f32. mask [B, L] i32, not 0 on real tokens: other steps change nothing and get no gradient,
 * whatever stands there, so that the reverse direction begins at the last real token. A sequence without one gives zeros.
 * Throws ShapeError, DtypeError.
 */
export function lstm(projected: Tensor, weight: Tensor, mask: Tensor, options: LstmOptions = {}): Tensor {
  const [B, L, H] = checkShapes(projected, weight, mask);
  const { device } = projected;
  const keep = willRecord(projected, weight);
  const last = device.empty([B, H], 'f32', 'lstm');
  const groups = Math.ceil(B / perGroup);
  const keeping = (shape: number[], name: string) => (keep ? device.empty(shape, 'f32', name) : null);
  const kept = {
    gates: keeping([groups, L, H, 4, perGroup], 'lstm gates'),
    cellBefore: keeping([groups, L, H, perGroup], 'lstm cells'),
    hiddenBefore: keeping([B, L, H], 'lstm states'),
  };
  const parts = partsOf(device, B, L, H);
  const constants = sharing(H);
  const reverse = options.reverse ? 1 : 0;
  device.scope(() => {
    // [4, H, H] by gate, unit and what comes in, stored [in, unit, gate].
    const byInput = gather(weight, [H, H, 4], [1, H, H * H], 0);
    for (const part of parts) {
      const of = rangesOf(part, B);
      device.run({
        kernel: 'lstm',
        entry: 'forward',
        constants: { ...constants, KEEP: keep },
        buffers: {
          projected: of.rows(projected),
          weight: byInput,
          mask: of.rows(mask),
          last: of.rows(last),
          gates: kept.gates ? of.groups(kept.gates) : device.dummy(0),
          cell_before: kept.cellBefore ? of.groups(kept.cellBefore) : device.dummy(1),
          hidden_before: kept.hiddenBefore ? of.rows(kept.hiddenBefore) : device.dummy(2),
        },
        params: { rows: part.rows, length: L, hidden: H, reverse },
        grid: linearGrid(part.count),
        flops: part.rows * L * (8 * H * H + 20 * H),
        bytes: 4 * part.rows * L * 4 * H,
      });
    }
  });
  return record(last, [projected, weight], (dLast, needs) => {
    const dProjected = device.empty(projected.shape, 'f32', 'd lstm input');
    // Stored [unit, in, gate].
    const byUnit = gather(weight, [H, H, 4], [H, 1, H * H], 0);
    for (const part of parts) {
      const of = rangesOf(part, B);
      device.run({
        kernel: 'lstm',
        entry: 'backward',
        constants,
        buffers: {
          weight: byUnit,
          mask: of.rows(mask),
          gates: of.groups(kept.gates!),
          cell_before: of.groups(kept.cellBefore!),
          d_last: of.rows(dLast),
          d_projected: of.rows(dProjected),
        },
        params: { rows: part.rows, length: L, hidden: H, reverse },
        grid: linearGrid(part.count),
        flops: part.rows * L * (8 * H * H + 40 * H),
        bytes: 4 * part.rows * L * 9 * H,
      });
    }
    return [dProjected, needs[1] ? linearWeightGradient(dProjected, kept.hiddenBefore!, weight) : null];
  });
}

/** How the units are shared out: evenly over as few rounds as the invocations of a workgroup allow. */
function sharing(H: number): { LANES: number; UNITS: number } {
  const units = Math.ceil(H / mostLanes);
  return { LANES: 8 * Math.ceil(H / units / 8), UNITS: units };
}

/** Groups first .. first + count - 1 of sequences; there are `rows` sequences in them. */
interface Part {
  first: number;
  count: number;
  rows: number;
}

function partsOf(device: Device, B: number, L: number, H: number): Part[] {
  const bytes = [4 * perGroup * L * 4 * H, 4 * perGroup * L, 4 * perGroup * H];
  return rowParts(device, Math.ceil(B / perGroup), bytes).map(({ first, count }) => ({
    first,
    count,
    rows: Math.min(count * perGroup, B - first * perGroup),
  }));
}

/** A part of a tensor that has a row a sequence, and of one that has a row a group. */
function rangesOf({ first, count, rows }: Part, B: number) {
  const range = (x: Tensor, from: number, n: number, of: number): BufferRange =>
    x.range((from * x.size) / of, (n * x.size) / of);
  return {
    rows: (x: Tensor) => range(x, first * perGroup, rows, B),
    groups: (x: Tensor) => range(x, first, count, Math.ceil(B / perGroup)),
  };
}

/** [B, L, H]. Throws ShapeError, DtypeError. */
function checkShapes(projected: Tensor, weight: Tensor, mask: Tensor): [number, number, number] {
  checkOperands('lstm', { projected, weight });
  checkOperands('lstm', { mask }, 'i32');
  const [outputs, H] = weight.shape;
  if (weight.rank !== 2 || outputs !== 4 * H!) {
    throw new ShapeError(`lstm: weight (${describe(weight)}) must be [4 H, H]`);
  }
  const [B, L, columns] = projected.shape;
  if (projected.rank !== 3 || columns !== outputs) {
    throw new ShapeError(
      `lstm: projected (${describe(projected)}) must be [B, L, ${outputs}] for ${describe(weight)}`,
    );
  }
  if (`${mask.shape}` !== `${[B, L]}`) {
    throw new ShapeError(
      `lstm: mask (${describe(mask)}) must be [${[B, L]}] for projected (${describe(projected)})`,
    );
  }
  return [B!, L!, H!];
}

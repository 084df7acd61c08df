// Loss and gradients of a batch whose encoders' activations do not fit in memory at once, as by the gradient cache of
// Gao et al. 2021 (arXiv:2101.06983): every row is encoded twice, a chunk of rows at a time. The loss sees all rows'
// features, so that every negative stays and the gradients are those of the whole batch up to rounding. Knows
// features only, not what they are of.

import { addGradients, backward, backwardFrom, type Gradients, noGrad } from '../../engine/autograd.ts';
import type { Device } from '../../engine/device.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Features } from '../../model/clip/clip.ts';

/** A batch's texts or images before encoding, or whole samples of a side; features are a record of tensors. */
export interface Encoding<F extends object = Features> {
  /** Rows of the batch. */
  count: number;
  /** Features of the rows first .. first + count - 1, each tensor [count, ...]; the same whenever it is asked. */
  encode(first: number, count: number): F;
}

export interface LossGradients {
  /** Scalar `[]`. */
  loss: Tensor;
  gradients: Gradients;
}

/**
 * The loss of a batch and its gradients. `chunk`: rows that an encoder takes at a time. `lossOf` gets the features of
 * each encoding, all rows, and gives a scalar. Call it in a scope, to which loss and gradients belong.
 */
export function encodeInChunks<F extends object>(
  device: Device,
  encodings: readonly Encoding<F>[],
  chunk: number,
  lossOf: (features: readonly F[]) => Tensor,
): LossGradients {
  const { loss, gradients, ofFeatures } = lossOfFeatures(device, encodings, chunk, lossOf);
  let total = gradients;
  encodings.forEach(({ count: rows, encode }, i) => {
    for (const { first, count } of chunksOf(rows, chunk)) {
      const before = total;
      total = device.scope(() => {
        const outputs = new Map<Tensor, Tensor>();
        for (const [name, tensor] of tensorsOf(encode(first, count))) {
          const gradient = ofFeatures[i]![name];
          if (gradient) outputs.set(tensor, rowsOf(gradient, first, count));
        }
        return addGradients(before, backwardFrom(outputs));
      });
    }
  });
  return { loss, gradients: total };
}

/** The loss, its gradients by parameter, and those of each encoding's features by name. */
function lossOfFeatures<F extends object>(
  device: Device,
  encodings: readonly Encoding<F>[],
  chunk: number,
  lossOf: (features: readonly F[]) => Tensor,
) {
  return device.scope(() => {
    const all = encodings.map((encoding) => encodeApart(device, encoding, chunk));
    const scalar = lossOf(all);
    const gradients = new Map(backward(scalar));
    const ofFeatures = all.map((features) => {
      const found: Record<string, Tensor> = {};
      for (const [name, tensor] of tensorsOf(features)) {
        const gradient = gradients.get(tensor);
        gradients.delete(tensor);
        if (gradient) found[name] = gradient;
      }
      return found;
    });
    // A view has no record of how it came about, so the features and all that was made of them go now.
    return { loss: device.view(scalar, []), gradients: gradients as Gradients, ofFeatures };
  });
}

/** The features of all rows as leaves that gradients are computed for, in the current scope. */
export function encodeApart<F extends object>(
  device: Device,
  { count: rows, encode }: Encoding<F>,
  chunk: number,
): F {
  const whole = new Map<string, Tensor>();
  for (const { first, count } of chunksOf(rows, chunk)) {
    const part = device.scope(() => noGrad(() => encode(first, count)));
    for (const [name, tensor] of tensorsOf(part)) {
      const [, ...shape] = tensor.shape;
      const into = whole.get(name) ?? device.empty([rows, ...shape], tensor.dtype, tensor.name);
      into.requiresGrad = tensor.dtype === 'f32';
      whole.set(name, into);
      device.copy(tensor, into, tensor.size, 0, (first * into.size) / rows);
      tensor.release();
    }
  }
  return Object.fromEntries(whole) as F;
}

/** Some rows of a tensor as one of their own. */
function rowsOf(x: Tensor, first: number, count: number): Tensor {
  const [rows, ...shape] = x.shape as [number, ...number[]];
  const part = x.device.empty([count, ...shape], x.dtype, x.name);
  x.device.copy(x, part, part.size, (first * x.size) / rows, 0);
  return part;
}

function tensorsOf(features: object): [string, Tensor][] {
  return Object.entries(features);
}

function chunksOf(rows: number, chunk: number): { first: number; count: number }[] {
  return Array.from({ length: Math.ceil(rows / chunk) }, (_, i) => ({
    first: i * chunk,
    count: Math.min(chunk, rows - i * chunk),
  }));
}

// Reverse-mode differentiation. Every op that makes a tensor records how gradients flow back through
// it (its backward stands next to its forward, in ops/); `backward` walks the records from newest to
// oldest. Only what needs a gradient is recorded, and only needed gradients are computed.

import { ShapeError } from './errors.ts';
import { addInto, onesLike, sum2 } from './kernels/elementwise.ts';
import { describe, type Tensor } from './tensor.ts';

/**
 * Maps the gradient of an op's output to those of its inputs, in their order. `needs[i]` says whether
 * input i wants one; what it returns for the others is ignored.
 */
type Backward = (gradient: Tensor, needs: readonly boolean[]) => readonly (Tensor | null)[];

/** One recorded op. */
export interface Node {
  /** Grows with every op, so that newest to oldest is an order in which gradients are complete. */
  id: number;
  inputs: readonly Tensor[];
  backward: Backward;
}

/** Gradients by leaf. */
export type Gradients = ReadonlyMap<Tensor, Tensor>;

let nextNode = 0;
let recording = true;

/** Records how `output` came from `inputs`, if any of them needs a gradient. Returns `output`. */
export function record(output: Tensor, inputs: readonly Tensor[], backward: Backward): Tensor {
  if (recording && inputs.some((input) => input.requiresGrad)) {
    output.requiresGrad = true;
    output.node = { id: nextNode++, inputs, backward };
  }
  return output;
}

/** True when an op on these inputs will be recorded: then it keeps what its backward needs. */
export function willRecord(...inputs: readonly (Tensor | null | undefined)[]): boolean {
  return recording && inputs.some((input) => input?.requiresGrad);
}

/** Runs `body` without recording: nothing in it gets a gradient. `body` must be synchronous. */
export function noGrad<T>(body: () => T): T {
  const before = recording;
  recording = false;
  try {
    return body();
  } finally {
    recording = before;
  }
}

/**
 * Gradients of a scalar with respect to every leaf that requires one and takes part in it.
 * The gradients belong to the current scope. Throws ShapeError when `loss` is not a scalar.
 */
export function backward(loss: Tensor): Gradients {
  if (loss.size !== 1) throw new ShapeError(`backward: the loss must have 1 element, got ${describe(loss)}`);
  return loss.requiresGrad ? walk(new Map([[loss, onesLike(loss)]])) : new Map();
}

/**
 * Gradients of a scalar, known only through its gradients with respect to some tensors (`outputs`: tensor to
 * gradient of the same size), with respect to every leaf that those tensors come from. The given gradients stay as
 * they are; the new ones belong to the current scope. Throws ShapeError for a gradient of another size.
 */
export function backwardFrom(outputs: Gradients): Gradients {
  const gradients = new Map<Tensor, Tensor>();
  for (const [output, given] of outputs) {
    if (output.size !== given.size) {
      throw new ShapeError(`backward: gradient ${describe(given)} for ${describe(output)}`);
    }
    // A handle of its own: while the caller holds his, nothing is added to the gradient in place.
    if (output.requiresGrad) gradients.set(output, given.device.view(given, output.shape));
  }
  return walk(gradients);
}

/** The sums of two sets of gradients by leaf. Takes both over: use neither afterwards. */
export function addGradients(a: Gradients, b: Gradients): Gradients {
  const sums = new Map(a);
  for (const [leaf, gradient] of b) {
    const before = sums.get(leaf);
    sums.set(leaf, before ? accumulate(before, gradient) : gradient);
  }
  return sums;
}

/** Walks from the outputs to the leaves, whose gradients it returns; takes over the outputs' gradients. */
function walk(gradients: Map<Tensor, Tensor>): Gradients {
  const leaves = new Map<Tensor, Tensor>();
  return noGrad(() => {
    for (const tensor of newestFirst([...gradients.keys()])) {
      const gradient = gradients.get(tensor);
      gradients.delete(tensor);
      if (!gradient) continue;
      if (tensor.node) propagate(tensor.node, gradient, gradients);
      else leaves.set(tensor, gradient);
    }
    return leaves;
  });
}

/** Runs one op's backward, adds its results to `gradients` and lets go of the output's gradient. */
function propagate(node: Node, gradient: Tensor, gradients: Map<Tensor, Tensor>): void {
  const needs = node.inputs.map((input) => input.requiresGrad);
  const { device } = gradient;
  const results = device.scope(() => {
    const results = node.backward(gradient, needs);
    // An op may hand its output's gradient on as it is; each holder gets a handle of its own.
    const seen = new Set<Tensor>([gradient]);
    return results.map((result, i) => {
      if (!result || !needs[i]) return null;
      const own = seen.has(result) ? device.view(result, result.shape) : result;
      seen.add(own);
      return own;
    });
  });
  gradient.release();
  results.forEach((result, i) => {
    if (!result) return;
    const input = node.inputs[i]!;
    if (result.size !== input.size) {
      throw new ShapeError(`backward: gradient ${describe(result)} for ${describe(input)}`);
    }
    const before = gradients.get(input);
    gradients.set(input, before ? accumulate(before, result) : result);
  });
}

/** The sum of two gradients, in place where one of them is nobody else's. */
function accumulate(a: Tensor, b: Tensor): Tensor {
  if (a.storage.exclusive) {
    addInto(a, b);
    b.release();
    return a;
  }
  if (b.storage.exclusive) {
    addInto(b, a);
    a.release();
    return b;
  }
  const total = sum2(a, b);
  a.release();
  b.release();
  return total;
}

/** Everything that the outputs depend on and that needs a gradient, newest op first, leaves last. */
function newestFirst(outputs: readonly Tensor[]): Tensor[] {
  const found = new Set<Tensor>(outputs);
  for (const tensor of found) {
    for (const input of tensor.node?.inputs ?? []) if (input.requiresGrad) found.add(input);
  }
  return [...found].sort((a, b) => (b.node?.id ?? -1) - (a.node?.id ?? -1));
}

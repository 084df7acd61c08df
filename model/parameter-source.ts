// Where a network's parameters come from. A module declares each of its parameters once, in its constructor: name, shape
// and how it starts. What the source makes of a declaration is its own matter: it finds the tensor among those that were
// read (parameter-store.ts), draws a fresh one (initialise.ts), or only notes it down (`declared`). So loading,
// initialising, counting and saving all read the same lines. Names are the checkpoint's own (Hugging Face's, torchvision's).

import type { Device } from '../engine/device.ts';
import { EngineError } from '../engine/errors.ts';
import { type Shape, StorageHandle, sizeOf, Tensor } from '../engine/tensor.ts';
import {
  type Linear,
  linearLayer,
  type Norm,
  normLayer,
  type Projection,
  projectionLayer,
} from './layers.ts';

/**
 * A value everywhere, normal numbers of mean 0, uniform ones between -bound and bound, or a value on a matrix's diagonal
 * and 0 elsewhere.
 */
export type Start = { value: number } | { deviation: number } | { bound: number } | { diagonal: number };

/** How a linear layer starts that gives 0 until it is trained. */
export const zeroLinear = { weight: { value: 0 }, bias: { value: 0 } } satisfies Record<string, Start>;

/** How a linear layer of as many outputs as inputs starts that changes nothing until it is trained. */
export const identityLinear = { weight: { diagonal: 1 }, bias: { value: 0 } } satisfies Record<string, Start>;

export interface ParameterSpec {
  shape: Shape;
  start: Start;
}

/** Parameters by name, in the order of their declaration. */
export type ParameterSpecs = ReadonlyMap<string, ParameterSpec>;

/** Gives the tensor of a parameter by its full name. */
type Take = (name: string, spec: ParameterSpec) => Tensor;

/** What modules declare their parameters to. */
export class ParameterSource {
  #take: Take;
  #prefix: string;

  /** `prefix` is put before every name declared: '' or 'text_model.encoder.layers.0', say. */
  constructor(take: Take, prefix = '') {
    this.#take = take;
    this.#prefix = prefix;
  }

  /** The source of the parameters whose names go on with `prefix` and a dot. */
  under(prefix: string): ParameterSource {
    return new ParameterSource(this.#take, this.#fullName(prefix));
  }

  parameter(name: string, shape: Shape, start: Start): Tensor {
    return this.#take(this.#fullName(name), { shape, start });
  }

  /** NAME.weight [outputs, inputs] and NAME.bias. By default as PyTorch starts them: uniform within 1 / sqrt(inputs). */
  linear(
    name: string,
    inputs: number,
    outputs: number,
    start: { weight?: Start; bias?: Start } = {},
  ): Linear {
    const usual = { bound: inputs ** -0.5 };
    return linearLayer(
      this.parameter(`${name}.weight`, [outputs, inputs], start.weight ?? usual),
      this.parameter(`${name}.bias`, [outputs], start.bias ?? usual),
    );
  }

  /** NAME.weight [outputs, inputs], without a bias. */
  projection(name: string, inputs: number, outputs: number, start: Start): Projection {
    return projectionLayer(this.parameter(`${name}.weight`, [outputs, inputs], start));
  }

  /** A LayerNorm: NAME.weight and NAME.bias [width], which start at 1 and 0. `eps` is added to the variance. */
  norm(name: string, width: number, eps = 1e-5): Norm {
    return normLayer(
      this.parameter(`${name}.weight`, [width], { value: 1 }),
      this.parameter(`${name}.bias`, [width], { value: 0 }),
      eps,
    );
  }

  #fullName(name: string): string {
    return this.#prefix === '' ? name : `${this.#prefix}.${name}`;
  }
}

/** A module and all parameters that it declared, by name. */
export interface Built<Module> {
  module: Module;
  tensors: ReadonlyMap<string, Tensor>;
}

/** Builds a module from the tensors that `take` gives. Throws EngineError for a parameter that is declared twice. */
export function build<Module>(take: Take, construct: (p: ParameterSource) => Module): Built<Module> {
  const tensors = new Map<string, Tensor>();
  const module = construct(
    new ParameterSource((name, spec) => {
      if (tensors.has(name)) throw new EngineError(`${name}: declared twice`);
      const tensor = take(name, spec);
      tensors.set(name, tensor);
      return tensor;
    }),
  );
  return { module, tensors };
}

/** What a module declares, without any device: its parameters have a shape, but nothing can be computed with them. */
export function declared(construct: (p: ParameterSource) => unknown): ParameterSpecs {
  const specs = new Map<string, ParameterSpec>();
  build((name, spec) => {
    specs.set(name, spec);
    return shapeOnly(name, spec.shape);
  }, construct);
  return specs;
}

/** How many numbers parameters hold. */
export function countParameters(specs: ParameterSpecs): number {
  return [...specs.values()].reduce((count, { shape }) => count + sizeOf(shape), 0);
}

/** A tensor on no device. Like a released one it throws when it is used. */
function shapeOnly(name: string, shape: Shape): Tensor {
  const handle = new StorageHandle(nothing as never);
  return new Tensor(nothing as unknown as Device, shape, 'f32', name, handle);
}

const nothing = null;

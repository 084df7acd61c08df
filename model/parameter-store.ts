// The source of a network's parameters that have been read: found by name, their shapes checked. Knows nothing of files.

import { EngineError } from '../engine/errors.ts';
import type { Shape, Tensor } from '../engine/tensor.ts';
import { ParameterSource } from './parameter-source.ts';

/** A parameter is missing or has another shape than the network needs. */
export class ParameterError extends EngineError {
  override name = 'ParameterError';
}

/** Tensors by name. Declaring one that is missing or misshapen throws ParameterError with its full name and both shapes. */
export class ParameterStore extends ParameterSource {
  constructor(tensors: ReadonlyMap<string, Tensor>) {
    super((name, { shape }) => found(tensors, name, shape));
  }
}

function found(tensors: ReadonlyMap<string, Tensor>, name: string, shape: Shape): Tensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new ParameterError(`${name}: missing, expected shape [${shape}]`);
  if (`${tensor.shape}` !== `${shape}` || tensor.rank !== shape.length) {
    throw new ParameterError(`${name}: expected shape [${shape}], found [${tensor.shape}]`);
  }
  return tensor;
}

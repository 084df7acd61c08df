// A network's weights by name. Modules take their tensors from here with the shape they expect, under
// prefixes that are the checkpoint's own (Hugging Face's, torchvision's). Knows nothing of files.

import { EngineError } from '../engine/errors.ts';
import type { Shape, Tensor } from '../engine/tensor.ts';

/** A parameter is missing or has another shape than the network needs. */
export class ParameterError extends EngineError {
  override name = 'ParameterError';
}

export class ParameterStore {
  #tensors: ReadonlyMap<string, Tensor>;
  #prefix: string;

  /** `prefix` is put before every name asked for: '' or 'text_model.encoder.layers.0', say. */
  constructor(tensors: ReadonlyMap<string, Tensor>, prefix = '') {
    this.#tensors = tensors;
    this.#prefix = prefix;
  }

  /** The parameters whose names go on with `prefix` and a dot. */
  under(prefix: string): ParameterStore {
    return new ParameterStore(this.#tensors, this.#fullName(prefix));
  }

  /** The tensor of that name under the prefix. Throws ParameterError with its full name and both shapes. */
  get(name: string, shape: Shape): Tensor {
    const full = this.#fullName(name);
    const tensor = this.#tensors.get(full);
    if (!tensor) throw new ParameterError(`${full}: missing, expected shape [${shape}]`);
    if (tensor.rank !== shape.length || tensor.shape.some((n, i) => n !== shape[i])) {
      throw new ParameterError(`${full}: expected shape [${shape}], found [${tensor.shape}]`);
    }
    return tensor;
  }

  #fullName(name: string): string {
    return this.#prefix === '' ? name : `${this.#prefix}.${name}`;
  }
}

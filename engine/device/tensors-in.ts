// Finds the tensors in what a scope returns.

import { Tensor } from '../tensor.ts';

/** The tensors in a scope's result. */
export function tensorsIn(value: unknown, found = new Set<Tensor>()): Set<Tensor> {
  if (value instanceof Tensor) {
    found.add(value);
  } else if (value instanceof Map) {
    for (const [key, item] of value) tensorsIn(key, tensorsIn(item, found) && found);
  } else if (Array.isArray(value) || isPlainObject(value)) {
    for (const item of Object.values(value)) tensorsIn(item, found);
  }
  return found;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

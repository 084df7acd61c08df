// What systems that train a BERT are told of their texts.

import * as v from 'valibot';
import { InputError } from '../../files/errors.ts';
import type { BertConfig } from './bert.ts';

/** Part of the activations that training drops. */
export const dropoutField = v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(0.9)), 0.1);

/** Most tokens of a text, which has room for its marks with `least`. */
export const lengthField = (usual: number, least: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(least)), usual);

/** Throws InputError for an option by which texts would be longer than a BERT takes. */
export function checkLength(option: string, length: number, { maxLength }: BertConfig): void {
  if (length <= maxLength) return;
  throw new InputError(
    `${option}: expected at most ${maxLength}, which the BERT takes (config.json), found ${length}`,
  );
}

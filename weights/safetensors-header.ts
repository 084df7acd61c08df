// The JSON header of a safetensors file, checked completely: every tensor's dtype, shape and place agree
// with each other and with the file's length, and the tensors fill the file without gaps or overlaps.

import { oneLine, WeightsError } from '../files/errors.ts';
import { JsonError, jsonEntries } from '../files/json/json-entries.ts';

/** Bytes of one element. */
export const bytesOf = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;
export type SafetensorsDtype = keyof typeof bytesOf;

export interface TensorInfo {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** First byte, counted from the end of the header. */
  readonly offset: number;
  readonly bytes: number;
}

interface Header {
  /** In the order of their bytes. */
  tensors: ReadonlyMap<string, TensorInfo>;
  metadata: Readonly<Record<string, string>>;
}

const metadataName = '__metadata__';
/** A tensor's entry is an object with two lists of numbers, some 100 characters in honest files; notes may be long. */
const entryLimits = {
  depth: 3,
  length: (name: string) => (name === metadataName ? Number.POSITIVE_INFINITY : 10_000),
};

/** Parses a header whose tensors share `dataBytes` bytes of the file `file`. Throws WeightsError. */
export function parseHeader(file: string, header: Uint8Array<ArrayBuffer>, dataBytes: number): Header {
  const entries: [string, TensorInfo][] = [];
  let metadata: Record<string, string> = {};
  try {
    for (const [name, value] of jsonEntries(decode(header), entryLimits)) {
      if (name === metadataName) metadata = checkMetadata(file, value);
      else entries.push([name, checkEntry(file, name, value, dataBytes)]);
    }
  } catch (error) {
    if (error instanceof JsonError) throw new WeightsError(`${file}: bad header: ${oneLine(error.message)}`);
    throw error;
  }
  entries.sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes);
  checkLayout(file, entries, dataBytes);
  return { tensors: new Map(entries), metadata };
}

function decode(header: Uint8Array<ArrayBuffer>): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    throw new JsonError('not JSON (the bytes are not UTF-8)');
  }
}

function checkMetadata(file: string, value: unknown): Record<string, string> {
  if (!isObject(value)) throw new WeightsError(`${file}: bad header: __metadata__ must be an object`);
  for (const [key, item] of Object.entries(value)) {
    if (typeof item !== 'string') {
      throw new WeightsError(`${file}: bad header: __metadata__ ${quoted(key)} must be a string`);
    }
  }
  return value as Record<string, string>;
}

function checkEntry(file: string, name: string, entry: unknown, dataBytes: number): TensorInfo {
  const bad = (what: string) => new WeightsError(`${file}: tensor ${quoted(name)}: ${what}`);
  if (!isObject(entry)) throw bad('expected an object with dtype, shape and data_offsets');
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesOf, dtype)) throw bad(`unknown dtype ${shown(dtype)}`);
  const elementBytes = bytesOf[dtype as SafetensorsDtype];
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw bad(`shape ${shown(shape)} is not a list of whole numbers`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw bad(`data_offsets ${shown(offsets)} are not two whole numbers`);
  }
  const [first, end] = offsets as [number, number];
  if (first > end) throw bad(`data_offsets ${shown(offsets)} end before they begin`);
  if (end > dataBytes)
    throw bad(`ends at byte ${end} of the data, but the file has ${dataBytes} (truncated?)`);
  const bytes = product(shape, elementBytes);
  if (bytes !== end - first) {
    throw bad(
      `${dtype} of shape ${shown(shape)} takes ${bytes ?? 'too many'} bytes, data_offsets give ${end - first}`,
    );
  }
  return { dtype: dtype as SafetensorsDtype, shape: Object.freeze(shape as number[]), offset: first, bytes };
}

/** Tensors, sorted by offset, must fill the data exactly. */
function checkLayout(file: string, entries: (readonly [string, TensorInfo])[], dataBytes: number): void {
  let end = 0;
  for (const [name, info] of entries) {
    if (info.offset < end)
      throw new WeightsError(`${file}: tensor ${quoted(name)} overlaps the one before it`);
    if (info.offset > end) {
      throw new WeightsError(
        `${file}: ${info.offset - end} bytes before tensor ${quoted(name)} belong to none`,
      );
    }
    end += info.bytes;
  }
  if (end < dataBytes)
    throw new WeightsError(`${file}: the last ${dataBytes - end} bytes belong to no tensor`);
}

/** The product of whole numbers; null where it is too large to be exact. */
function product(shape: readonly number[], first: number): number | null {
  if (shape.includes(0)) return 0;
  let result = first;
  for (const n of shape) {
    result *= n;
    if (!Number.isSafeInteger(result)) return null;
  }
  return result;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value from the file, short and on one line. */
function shown(value: unknown): string {
  return oneLine(JSON.stringify(value) ?? 'that is missing');
}

function quoted(name: string): string {
  return oneLine(`'${name}'`);
}

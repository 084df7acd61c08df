// Writes safetensors files, one tensor at a time.

import { type Append, writeFileAtomically } from '../files/atomic-file.ts';
import { WeightsError } from '../files/errors.ts';
import type { StoredArray } from './safetensors.ts';
import { bytesOf, type SafetensorsDtype } from './safetensors-header.ts';

/**
 * A tensor to write. `data` may be a function, so that only one tensor at a time need be in memory, or one that gives
 * the elements in parts.
 */
export interface TensorToWrite {
  dtype: SafetensorsDtype;
  shape: readonly number[];
  data: StoredArray | (() => Promise<StoredArray> | AsyncIterable<StoredArray>);
}

/**
 * Writes a safetensors file under a temporary name, syncs it and renames it to `path`. Same tensors, same
 * bytes: they are laid out widest dtype first, then by name. Throws WeightsError when data do not fill their
 * shape or the file cannot be written; a file that was there stays then.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const entries = Object.entries(tensors).sort(
    ([nameA, a], [nameB, b]) => bytesOf[b.dtype] - bytesOf[a.dtype] || (nameA < nameB ? -1 : 1),
  );
  await writeFileAtomically(path, async (append) => {
    await append(header(path, entries, metadata));
    for (const [name, tensor] of entries) await appendTensor(path, name, tensor, append);
  });
}

async function appendTensor(
  path: string,
  name: string,
  tensor: TensorToWrite,
  append: Append,
): Promise<void> {
  const bytes = sizeInBytes(tensor);
  const misfit = (found: string) =>
    new WeightsError(
      `${path}: tensor '${name}': ${tensor.dtype} [${tensor.shape}] takes ${bytes} bytes, ${found}`,
    );
  let written = 0;
  for await (const data of partsOf(tensor.data)) {
    written += data.byteLength;
    if (data.BYTES_PER_ELEMENT !== bytesOf[tensor.dtype] || written > bytes) {
      throw misfit(`${data.constructor.name} of ${data.length} has ${data.byteLength}`);
    }
    await append(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  if (written < bytes) throw misfit(`its data have ${written}`);
}

async function* partsOf(data: TensorToWrite['data']): AsyncGenerator<StoredArray> {
  const found = typeof data === 'function' ? await data() : data;
  if (Symbol.asyncIterator in found) yield* found;
  else yield found;
}

function header(
  path: string,
  entries: [string, TensorToWrite][],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let end = 0;
  const described = entries.map(([name, tensor]) => {
    if (name === '__metadata__') throw new WeightsError(`${path}: no tensor may be named __metadata__`);
    const first = end;
    end += sizeInBytes(tensor);
    return [name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [first, end] }] as const;
  });
  const all =
    Object.keys(metadata).length > 0 ? [['__metadata__', metadata] as const, ...described] : described;
  // fromEntries makes own properties even of names like __proto__.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(all)));
  // Spaces after the JSON put the data on a multiple of eight.
  const bytes = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  bytes.set(json, 8);
  return bytes;
}

function sizeInBytes({ dtype, shape }: TensorToWrite): number {
  return shape.reduce((product, n) => product * n, bytesOf[dtype]);
}

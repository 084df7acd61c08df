// Writes safetensors files, one tensor at a time.

import { type Append, writeFileAtomically } from '../files/atomic-file.ts';
import { WeightsError } from '../files/errors.ts';
import type { StoredArray } from './safetensors.ts';
import { bytesOf, type SafetensorsDtype } from './safetensors-header.ts';
import { BlockChecksums, headerJson } from './tensor-checksums.ts';

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
 * Writes a safetensors file with checksums under a temporary name, syncs it and renames it to `path`. Same tensors, same
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
  const described = describe(path, entries);
  const sums = new Map<string, string>();
  await writeFileAtomically(path, async (append, patch) => {
    // The checksums come after the data, into a place of their length.
    await append(header(described, metadata, sums));
    for (const [name, tensor] of entries) sums.set(name, await appendTensor(path, name, tensor, append));
    await patch(0, header(described, metadata, sums));
  });
}

/** Appends a tensor's bytes and gives their checksums. */
async function appendTensor(
  path: string,
  name: string,
  tensor: TensorToWrite,
  append: Append,
): Promise<string> {
  const bytes = sizeInBytes(tensor);
  const misfit = (found: string) =>
    new WeightsError(
      `${path}: tensor '${name}': ${tensor.dtype} [${tensor.shape}] takes ${bytes} bytes, ${found}`,
    );
  const checksums = new BlockChecksums();
  let written = 0;
  for await (const data of partsOf(tensor.data)) {
    written += data.byteLength;
    if (data.BYTES_PER_ELEMENT !== bytesOf[tensor.dtype] || written > bytes) {
      throw misfit(`${data.constructor.name} of ${data.length} has ${data.byteLength}`);
    }
    const part = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    checksums.add(part);
    await append(part);
  }
  if (written < bytes) throw misfit(`its data have ${written}`);
  return checksums.end();
}

async function* partsOf(data: TensorToWrite['data']): AsyncGenerator<StoredArray> {
  const found = typeof data === 'function' ? await data() : data;
  if (Symbol.asyncIterator in found) yield* found;
  else yield found;
}

type Described = ReturnType<typeof describe>;

/** The tensors' entries of the header, one after the other. */
function describe(path: string, entries: [string, TensorToWrite][]) {
  let end = 0;
  return entries.map(([name, tensor]) => {
    if (name === '__metadata__') throw new WeightsError(`${path}: no tensor may be named __metadata__`);
    const first = end;
    end += sizeInBytes(tensor);
    const { dtype, shape } = tensor;
    return [name, { dtype, shape, data_offsets: [first, end] as const }] as const;
  });
}

function header(
  described: Described,
  metadata: Readonly<Record<string, string>>,
  sums: ReadonlyMap<string, string>,
): Uint8Array {
  const json = headerJson(described, metadata, sums);
  const bytes = new Uint8Array(8 + json.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

function sizeInBytes({ dtype, shape }: TensorToWrite): number {
  return shape.reduce((product, n) => product * n, bytesOf[dtype]);
}

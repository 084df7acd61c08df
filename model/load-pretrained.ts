// The weights of a network in Hugging Face's layout, from a folder or from the address that one is served under:
// model.safetensors, or shards with model.safetensors.index.json.

import type { Device } from '../engine/device.ts';
import { cast } from '../engine/ops/storage/cast.ts';
import type { Tensor } from '../engine/tensor.ts';
import { MissingFileError, WeightsError } from '../files/errors.ts';
import { kindOf } from '../files/json/json-fields.ts';
import { locate, openSource, parseJsonObject, readSmallText } from '../files/locate.ts';
import { loadTensors, type WantedTensor } from './load-tensors.ts';

export interface LoadOptions {
  /** Whether the weights get gradients. Default false. */
  trainable?: boolean;
  /** Storage on the device; 'f16' keeps only matrices in half and needs shader-f16. Default 'f32'. */
  dtype?: 'f32' | 'f16';
}

/** Most bytes of an index of shards. */
const mostIndexBytes = 2 ** 24;

/**
 * Loads the tensors of the network in `folder`; call it outside of any scope. F32, F16 and BF16 weights are read; tensors
 * that are not wanted are left alone. Throws WeightsError, one line with the file, for what is missing, misshapen or not
 * finite.
 */
export async function loadPretrained(
  device: Device,
  folder: string,
  wanted: readonly WantedTensor[],
  { trainable = false, dtype = 'f32' }: LoadOptions,
): Promise<Map<string, Tensor>> {
  if (trainable && dtype === 'f16') throw new WeightsError(`${folder}: weights that are trained must be f32`);
  const tensors = await loadTensors(device, await filesOf(folder, wanted), (tensor, one) =>
    dtype === 'f16' && isMatrix(one) ? halved(tensor) : tensor,
  );
  for (const tensor of tensors.values()) tensor.requiresGrad = trainable;
  return tensors;
}

/** The tensors by the file that holds them: one file, or the shards that the index names. */
async function filesOf(
  folder: string,
  wanted: readonly WantedTensor[],
): Promise<Map<string, WantedTensor[]>> {
  const single = locate(folder, 'model.safetensors');
  const index = locate(folder, 'model.safetensors.index.json');
  const missing = await missingFile(single);
  if (!missing) return new Map([[single, [...wanted]]]);
  const text = await readSmallText(index, mostIndexBytes).catch((error) => {
    throw error instanceof MissingFileError ? missing : error;
  });
  const map = parseIndex(index, text);
  const files = new Map<string, WantedTensor[]>();
  for (const tensor of wanted) {
    const names = [tensor.name, ...(tensor.orElse ?? []).map(({ name }) => name)];
    const shard = map.get(names.find((name) => map.has(name)) ?? tensor.name);
    if (shard === undefined)
      throw new WeightsError(`${index}: weight_map: tensor '${tensor.name}' is missing`);
    // A shard lies beside its index: no path from a file leads out of the folder.
    if (typeof shard !== 'string' || !/^[^/\\:]+$/.test(shard) || /^\.+$/.test(shard)) {
      throw new WeightsError(
        `${index}: weight_map: '${tensor.name}': expected a file name, found ${kindOf(shard)}`,
      );
    }
    const path = locate(folder, shard);
    files.set(path, [...(files.get(path) ?? []), tensor]);
  }
  return files;
}

/** The error of a file that is not there; null when it is. */
async function missingFile(where: string): Promise<MissingFileError | null> {
  try {
    await (await openSource(where)).close();
    return null;
  } catch (error) {
    if (error instanceof MissingFileError) return error;
    throw error;
  }
}

function parseIndex(file: string, text: string): Map<string, unknown> {
  const { weight_map: map } = parseJsonObject(file, text);
  if (typeof map === 'object' && map !== null && !Array.isArray(map)) return new Map(Object.entries(map));
  throw new WeightsError(`${file}: weight_map: expected an object of file names by tensor`);
}

/** What linear layers multiply by and what rows are picked from: the kernels take these in half. */
function isMatrix({ name, shape }: { name: string; shape: readonly number[] }): boolean {
  return shape.length === 2 && !name.includes('position_embedding');
}

function halved(tensor: Tensor): Tensor {
  const half = cast(tensor, 'f16');
  half.name = tensor.name;
  tensor.release();
  return half;
}

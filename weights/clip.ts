// A CLIP as a folder in Hugging Face's layout: config.json, model.safetensors (or sharded, with
// model.safetensors.index.json), vocab.json, merges.txt. Tensors go to the device one by one. The tokenizer's
// files are only written here; data/tokenizer-files.ts reads them.

import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Device } from '../engine/device.ts';
import { cast } from '../engine/ops/cast.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { ClipConfig } from '../model/clip.ts';
import { type ClipTensor, clipTensors } from '../model/initialise-clip.ts';
import { Parameters } from '../model/parameters.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { type ClipDescription, clipConfigJson, readClipConfig } from './clip-config.ts';
import { WeightsError } from './errors.ts';
import { f32ToF16 } from './half.ts';
import { openSafetensors, type Safetensors } from './safetensors.ts';
import { type TensorToWrite, writeSafetensors } from './write-safetensors.ts';

export interface LoadOptions {
  /** Whether the weights get gradients. Default false. */
  trainable?: boolean;
  /** Storage on the device; 'f16' keeps only matrices in half and needs shader-f16. Default 'f32'. */
  dtype?: 'f32' | 'f16';
}

/** A CLIP on a device. */
export interface LoadedClip extends ClipDescription {
  parameters: Parameters;
  /** The same tensors by name, for an optimiser and to release. */
  tensors: ReadonlyMap<string, Tensor>;
  /** Where vocab.json and merges.txt are. */
  folder: string;
}

/** A vocabulary in Hugging Face's form, and the ids of its marks. */
export interface Vocabulary {
  vocab: Readonly<Record<string, number>>;
  merges: string;
  bosId: number;
  eosId: number;
}

/**
 * Loads the CLIP in `folder`; call it outside of any scope. F32, F16 and BF16 weights are read; tensors
 * that CLIP does not know are left alone. Throws WeightsError, one line with the file, for what is missing
 * or has another shape.
 */
export async function loadClip(
  device: Device,
  folder: string,
  { trainable = false, dtype = 'f32' }: LoadOptions = {},
): Promise<LoadedClip> {
  if (trainable && dtype === 'f16') throw new WeightsError(`${folder}: weights that are trained must be f32`);
  const description = await readClipConfig(join(folder, 'config.json'));
  const tensors = new Map<string, Tensor>();
  try {
    await readTensors(folder, clipTensors(description.config), async (file, wanted) => {
      const { shape } = file.info(wanted.name);
      if (`${shape}` !== `${wanted.shape}`) {
        throw new WeightsError(
          `${folder}: tensor '${wanted.name}': expected shape [${wanted.shape}] by config.json, found [${shape}]`,
        );
      }
      const tensor = device.tensor(wanted.shape, await file.readFloats(wanted.name), { name: wanted.name });
      tensors.set(wanted.name, dtype === 'f16' && isMatrix(wanted) ? halved(tensor) : tensor);
    });
  } catch (error) {
    for (const tensor of tensors.values()) tensor.release();
    throw error;
  }
  for (const tensor of tensors.values()) tensor.requiresGrad = trainable;
  return { ...description, parameters: new Parameters(tensors), tensors, folder };
}

/**
 * Writes a CLIP in float16 with its vocabulary into `folder`, which is made where it is missing. All files
 * are complete in a folder beside it before the first takes its name. Throws WeightsError when they cannot
 * be written.
 */
export async function saveClip(
  folder: string,
  config: ClipConfig,
  tensors: ReadonlyMap<string, Tensor>,
  { vocab, merges, bosId, eosId }: Vocabulary,
): Promise<void> {
  const stage = `${folder}.part`;
  const refused = (error: Error) => {
    throw new WeightsError(`${folder}: cannot be written: ${error.message}`);
  };
  await Promise.all([mkdir(folder, { recursive: true }), mkdir(stage, { recursive: true })]).catch(refused);
  const texts = {
    'vocab.json': `${JSON.stringify(vocab)}\n`,
    'merges.txt': merges,
    'config.json': clipConfigJson(config, bosId, eosId),
  };
  for (const [name, text] of Object.entries(texts)) {
    await writeFileAtomically(join(stage, name), (append) => append(new TextEncoder().encode(text)));
  }
  const weights: Record<string, TensorToWrite> = {};
  for (const { name, shape } of clipTensors(config)) {
    const tensor = tensors.get(name);
    if (!tensor) throw new WeightsError(`${folder}: no tensor '${name}' to write`);
    const data = async () => f32ToF16(await tensor.device.read<'f32'>(tensor));
    weights[name] = { dtype: 'F16', shape, data };
  }
  // Hugging Face's loader wants to know which framework's layout this is.
  await writeSafetensors(join(stage, 'model.safetensors'), weights, { format: 'pt' });
  for (const name of [...Object.keys(texts), 'model.safetensors']) {
    await rename(join(stage, name), join(folder, name)).catch(refused);
  }
  await rmdir(stage).catch(refused);
}

/** Calls `use` for each tensor with the open file that holds it, one file after the other. */
async function readTensors(
  folder: string,
  wanted: readonly ClipTensor[],
  use: (file: Safetensors, tensor: ClipTensor) => Promise<void>,
): Promise<void> {
  for (const [path, tensors] of await filesOf(folder, wanted)) {
    const file = await openSafetensors(path);
    try {
      for (const tensor of tensors) await use(file, tensor);
    } finally {
      await file.close();
    }
  }
}

/** The tensors by the file that holds them: one file, or the shards that the index names. */
async function filesOf(folder: string, wanted: readonly ClipTensor[]): Promise<Map<string, ClipTensor[]>> {
  const single = join(folder, 'model.safetensors');
  const index = join(folder, 'model.safetensors.index.json');
  if (existsSync(single) || !existsSync(index)) return new Map([[single, [...wanted]]]);
  const map = parseIndex(index, await readFile(index, 'utf8'));
  const files = new Map<string, ClipTensor[]>();
  for (const tensor of wanted) {
    const shard = map[tensor.name];
    if (shard === undefined)
      throw new WeightsError(`${index}: weight_map: tensor '${tensor.name}' is missing`);
    // A shard lies beside its index: no path from a file leads out of the folder.
    if (typeof shard !== 'string' || dirname(shard) !== '.') {
      throw new WeightsError(
        `${index}: weight_map: '${tensor.name}': expected a file name, found ${JSON.stringify(shard)}`,
      );
    }
    const path = join(folder, shard);
    files.set(path, [...(files.get(path) ?? []), tensor]);
  }
  return files;
}

function parseIndex(file: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = (JSON.parse(text) as { weight_map?: unknown } | null)?.weight_map;
  } catch (error) {
    throw new WeightsError(`${file}: not JSON (${(error as Error).message.split('\n')[0]})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new WeightsError(`${file}: weight_map: expected an object of file names by tensor`);
  }
  return value as Record<string, unknown>;
}

/** What linear layers multiply by and what rows are picked from: the kernels take these in half. */
function isMatrix({ name, shape }: ClipTensor): boolean {
  return shape.length === 2 && !name.includes('position_embedding');
}

function halved(tensor: Tensor): Tensor {
  const half = cast(tensor, 'f16');
  half.name = tensor.name;
  tensor.release();
  return half;
}

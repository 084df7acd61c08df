// Puts the tensors of weight files on a device, a part at a time: memory on the host stays the same however large a
// tensor is. What is missing, misshapen or not finite is refused by name, and then nothing stays on the device.

import type { Device } from '../engine/device.ts';
import { type Shape, sizeOf, type Tensor } from '../engine/tensor.ts';
import { WeightsError } from '../files/errors.ts';
import { openSafetensors, type Safetensors } from '../weights/safetensors.ts';

/** A tensor that a network needs. */
export interface WantedTensor {
  name: string;
  shape: Shape;
  /** Other names and shapes that its elements may have in the file, the likeliest first. */
  orElse?: readonly { name: string; shape: Shape }[];
}

/** Elements that are read, checked and sent at once: 16 MiB of float32. */
const part = 2 ** 22;
/** Elements after which the host waits for the device, which holds a copy of what it was sent until it has run. */
const mostPending = 2 ** 24;

/**
 * Loads tensors as float32, each from the file (a path or an address) it is listed under; `keep` may replace one once
 * it is loaded. Call it outside of any scope. Throws WeightsError, one line with file and tensor.
 */
export async function loadTensors(
  device: Device,
  files: ReadonlyMap<string, readonly WantedTensor[]>,
  keep: (tensor: Tensor, wanted: WantedTensor) => Tensor = (tensor) => tensor,
): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  let pending = 0;
  try {
    for (const [where, wanted] of files) {
      const file = await openSafetensors(where);
      try {
        for (const one of inFileOrder(file, wanted)) {
          const send = uploader(device, file, one);
          tensors.set(one.name, send.tensor);
          for (let first = 0; first < send.tensor.size; first += part) {
            pending += await send.part(first);
            if (pending < mostPending) continue;
            await device.finish();
            pending = 0;
          }
          tensors.set(one.name, keep(send.tensor, one));
        }
      } finally {
        await file.close();
      }
    }
    await device.finish();
  } catch (error) {
    for (const tensor of tensors.values()) tensor.release();
    throw error;
  }
  return tensors;
}

/** The tensors in the order of their bytes, so that files are read from front to back. */
function inFileOrder(file: Safetensors, wanted: readonly WantedTensor[]): WantedTensor[] {
  const places = new Map(file.names.map((name, place) => [name, place]));
  const place = (one: WantedTensor) => places.get(checkedName(file, one))!;
  return [...wanted].sort((a, b) => place(a) - place(b));
}

/** The name that the file has the tensor under. Throws WeightsError when it is missing or has another shape. */
function checkedName(file: Safetensors, wanted: WantedTensor): string {
  const known = [wanted, ...(wanted.orElse ?? [])].find(({ name }) => file.has(name));
  const { name, shape } = known ?? wanted;
  const found = file.info(name).shape;
  if (`${found}` !== `${shape}`) {
    throw new WeightsError(`${file.file}: tensor '${name}': expected shape [${shape}], found [${found}]`);
  }
  return name;
}

/** A new tensor and what fills it: `part(first)` sends the elements from `first` on and says how many. */
function uploader(device: Device, file: Safetensors, wanted: WantedTensor) {
  const name = checkedName(file, wanted);
  const tensor = device.empty(wanted.shape, 'f32', wanted.name);
  const size = sizeOf(wanted.shape);
  const sendPart = async (first: number): Promise<number> => {
    const count = Math.min(part, size - first);
    const data = await file.readFloats(name, first, count);
    checkFinite(file, name, data, first);
    if (count === size) device.write(tensor, data);
    else {
      // Through a small tensor, so that no more than a part is ever on its way.
      const piece = device.tensor([count], data, { name: `part of ${wanted.name}` });
      device.copy(piece, tensor, count, 0, first);
      piece.release();
    }
    return count;
  };
  return { tensor, part: sendPart };
}

/** Throws WeightsError with the place of the first element that is NaN or infinite. */
function checkFinite(file: Safetensors, name: string, data: Float32Array, first: number): void {
  // x * 0 is NaN exactly for what is not finite; the sum of all is cheap.
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! * 0;
  if (sum === 0) return;
  const at = data.findIndex((x) => !Number.isFinite(x));
  throw new WeightsError(`${file.file}: tensor '${name}': element ${first + at} is ${data[at]}`);
}

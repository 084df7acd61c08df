// A device that keeps the books of memory and computes nothing: what runs on it allocates and releases as it would on
// the device that it is modelled on, so that its peak can be known before the first byte is taken.

import { Device } from '../device.ts';

/**
 * A stand-in for `device`, with its limits and its choice of kernels (tuned variants apart, which take the same
 * memory). Tensors on it have no contents: reading one throws.
 */
export function dryRunOf(device: Device): Device {
  const { description, subgroupSize, maxBindingBytes } = device;
  const info = { description, vendor: '', device: '', architecture: '', subgroupMinSize: subgroupSize };
  return new Device(idleGpu(device.gpu), info as GPUAdapterInfo, { maxBindingBytes });
}

/** A GPUDevice all of whose methods succeed and do nothing. */
function idleGpu({ limits, features }: GPUDevice): GPUDevice {
  const never = new Promise(() => {});
  const known: Readonly<Record<PropertyKey, unknown>> = {
    limits,
    features,
    lost: never,
    popErrorScope: () => Promise.resolve(null),
    mapAsync: () => Promise.reject(new Error('a dry run computes nothing that could be read')),
    // What is awaited must not pass for a promise.
    // biome-ignore lint/suspicious/noThenProperty: this says that it is none.
    then: undefined,
  };
  const idle: unknown = new Proxy(() => {}, {
    get: (_, name) => (name in known ? known[name] : idle),
    apply: () => idle,
  });
  return idle as GPUDevice;
}

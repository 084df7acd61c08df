// Finds a WebGPU adapter and opens a device on it with the adapter's real limits.

import { NoAdapterError } from '../errors.ts';
import { bestAdapter, gpuEntries } from './platform.ts';

const optionalFeatures = ['shader-f16', 'subgroups', 'timestamp-query'] as const;

interface OpenedAdapter {
  gpu: GPUDevice;
  info: GPUAdapterInfo;
}

/** Opens the best adapter there is. Throws NoAdapterError where there is none. */
export async function openAdapter(): Promise<OpenedAdapter> {
  for await (const entry of gpuEntries()) {
    const adapter = await bestAdapter(entry);
    if (!adapter) continue;
    const gpu = await adapter.requestDevice({
      label: 'dsmip',
      requiredFeatures: optionalFeatures.filter((feature) => adapter.features.has(feature)),
      requiredLimits: realLimits(adapter.limits),
    });
    return { gpu, info: adapter.info };
  }
  throw new NoAdapterError('no WebGPU adapter found; `npm run setup` installs one for the CPU');
}

/** The limits that compute work meets, raised from WebGPU's cautious defaults to what the adapter has. */
function realLimits(limits: GPUSupportedLimits): Record<string, number> {
  const wanted = [
    'maxBufferSize',
    'maxStorageBufferBindingSize',
    'maxStorageBuffersPerShaderStage',
    'maxComputeWorkgroupStorageSize',
    'maxComputeInvocationsPerWorkgroup',
    'maxComputeWorkgroupSizeX',
    'maxComputeWorkgroupSizeY',
    'maxComputeWorkgroupSizeZ',
    'maxComputeWorkgroupsPerDimension',
  ] as const;
  return Object.fromEntries(wanted.map((name) => [name, limits[name]]));
}

/** The adapter and its driver in one line. */
export function describeAdapter(info: GPUAdapterInfo): string {
  const device = info.device || info.architecture;
  return [info.vendor, device, info.description].filter(Boolean).join(', ') || 'unnamed adapter';
}

/** Fewest invocations that a subgroup may have; 0 where kernels cannot use subgroups. */
export function subgroupSize({ gpu, info }: OpenedAdapter): number {
  return gpu.features.has('subgroups') ? (info.subgroupMinSize ?? 0) : 0;
}

/** True for an adapter that computes on the CPU: other kernel variants are fast there. */
export function isCpuAdapter(info: GPUAdapterInfo): boolean {
  return /llvmpipe|lavapipe|swiftshader/i.test(describeAdapter(info));
}

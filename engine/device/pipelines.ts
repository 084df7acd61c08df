// Compiled kernels and their bind groups, each made once. A pipeline is known by kernel, entry point
// and constants; a bind group by its layout and the buffer ranges bound.

import { type Kernel, type KernelName, kernels } from '../../shaders/index.ts';
import { KernelError, LimitError } from '../errors.ts';
import type { Counters } from './counters.ts';
import { collectGarbage } from './platform.ts';
import type { Storage } from './pool.ts';
import type { Recorder } from './recorder.ts';
import { type Specialisation, specialise } from './specialise.ts';

/** A range of a storage, bound to a kernel's variable. Offset and size in bytes. */
export interface BufferRange {
  storage: Storage;
  offset: number;
  size: number;
}

/** What a pipeline is compiled of: an entry point of a kernel, specialised, for binding the variables named. Plain JSON. */
export interface KernelVariant {
  kernel: KernelName;
  entry: string;
  constants: Specialisation;
  variables: readonly string[];
}

/** A pipeline with what is needed to bind buffers to it. */
interface CompiledKernel {
  pipeline: GPUComputePipeline;
  variant: KernelVariant;
  layout: GPUBindGroupLayout;
  kernel: Kernel;
  /** Fields of `Params`, in order. */
  params: readonly ParamField[];
  /** Kernel and entry point, for labels and profiles. */
  label: string;
  id: number;
  /** Size of `Params` in bytes, 0 without parameters. */
  paramBytes: number;
}

type ParamField = readonly [name: string, type: Kernel['params'][string]];

/** A step of the multimodal expert asks for thousands again; but each may hold a memory map of the process (see collectGarbage). */
const cachedBindGroups = 4_096;
/** Bind groups of all devices that nothing asks for any more, since garbage was collected. */
let dropped = 0;

export class Kernels {
  #gpu: GPUDevice;
  #counters: Counters;
  #recorder: Recorder;
  #maxBindingBytes: number;
  #compiled = new Map<string, CompiledKernel>();
  #recordings = new Set<Set<KernelVariant>>();
  #bindGroups = new Map<string, GPUBindGroup>();

  constructor(gpu: GPUDevice, counters: Counters, recorder: Recorder, maxBindingBytes: number) {
    this.#gpu = gpu;
    this.#counters = counters;
    this.#recorder = recorder;
    this.#maxBindingBytes = maxBindingBytes;
  }

  /** The pipeline of a variant. Throws KernelError when the kernel's file lacks a variable or a constant. */
  compile(variant: KernelVariant): CompiledKernel {
    const key = keyOf(variant);
    const compiled = this.#compiled.get(key) ?? this.#compileNow(variant, key);
    for (const recording of this.#recordings) recording.add(compiled.variant);
    return compiled;
  }

  /** Compiles variants beside everything else; see `Device.compileAhead`. */
  async compileAhead(variants: readonly KernelVariant[]): Promise<void> {
    await Promise.all(variants.map((variant) => this.#compileInBackground(variant)));
  }

  /** Records the variants asked for from now on, until what is returned is called: it gives them, each once. */
  record(): () => KernelVariant[] {
    const recording = new Set<KernelVariant>();
    this.#recordings.add(recording);
    return () => {
      this.#recordings.delete(recording);
      return [...recording];
    };
  }

  /** The bind group of buffer ranges, in the order of the variables that the kernel was compiled for. */
  bind(kernel: CompiledKernel, variables: readonly string[], ranges: readonly BufferRange[]): GPUBindGroup {
    let key = `${kernel.id}`;
    for (const { storage, offset, size } of ranges) key += `,${storage.id}:${offset}:${size}`;
    const known = this.#bindGroups.get(key);
    if (known) return known;
    if (this.#bindGroups.size >= cachedBindGroups) this.forgetBindGroups();
    const group = this.#bind(kernel, variables, ranges);
    this.#bindGroups.set(key, group);
    return group;
  }

  /** Forgets the bind groups, after buffers were destroyed or where there are too many. */
  forgetBindGroups(): void {
    dropped += this.#bindGroups.size;
    this.#bindGroups.clear();
    if (dropped < cachedBindGroups) return;
    dropped = 0;
    collectGarbage();
  }

  #bind(kernel: CompiledKernel, variables: readonly string[], ranges: readonly BufferRange[]): GPUBindGroup {
    const entries: GPUBindGroupEntry[] = ranges.map(({ storage, offset, size }, i) => {
      if (size > this.#maxBindingBytes) {
        throw new LimitError(
          `${kernel.label} binds ${size} bytes as ${variables[i]}; this device binds at most ` +
            `${this.#maxBindingBytes} at once`,
        );
      }
      const { binding } = kernel.kernel.buffers[variables[i]!]!;
      return { binding, resource: { buffer: storage.buffer, offset, size } };
    });
    if (kernel.paramBytes > 0) {
      entries.push({ binding: 0, resource: { buffer: this.#recorder.uniforms, size: kernel.paramBytes } });
    }
    this.#counters.bindGroups++;
    return this.#gpu.createBindGroup({ label: kernel.label, layout: kernel.layout, entries });
  }

  #compileNow(variant: KernelVariant, key: string): CompiledKernel {
    const compiled = this.#recorder.guard('validation', key, () => {
      const { descriptor, ...rest } = this.#describe(variant, key);
      return { ...rest, pipeline: this.#gpu.createComputePipeline(descriptor) };
    });
    return this.#keep(key, compiled);
  }

  async #compileInBackground(variant: KernelVariant): Promise<void> {
    try {
      const key = keyOf(variant);
      if (this.#compiled.has(key)) return;
      const { descriptor, ...rest } = this.#recorder.unreported('validation', () =>
        this.#describe(variant, key),
      );
      const pipeline = await this.#gpu.createComputePipelineAsync(descriptor);
      // Where somebody could not wait, theirs stays: its bind groups are known by its number.
      if (!this.#compiled.has(key)) this.#keep(key, { ...rest, pipeline });
    } catch {
      // There is no such variant, or the device is lost: whoever asks for it is told.
    }
  }

  #keep(key: string, compiled: Omit<CompiledKernel, 'id'>): CompiledKernel {
    const kept = { ...compiled, id: this.#compiled.size };
    this.#counters.pipelines++;
    this.#compiled.set(key, kept);
    return kept;
  }

  /** All of a compiled kernel but its pipeline, and what that is created of. */
  #describe(variant: KernelVariant, key: string) {
    const { kernel: name, entry, constants, variables } = variant;
    const kernel: Kernel = kernels[name];
    const params = Object.entries(kernel.params);
    const paramBytes = Math.ceil((4 * params.length) / 16) * 16;
    const layout = this.#layout(name, kernel, variables, paramBytes);
    const descriptor: GPUComputePipelineDescriptor = {
      label: key,
      layout: this.#gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: {
        module: this.#gpu.createShaderModule({
          label: key,
          code: specialise(name, kernel.code, constants),
        }),
        entryPoint: entry,
      },
    };
    return { variant, layout, kernel, params, label: `${name}/${entry}`, paramBytes, descriptor };
  }

  #layout(
    name: KernelName,
    kernel: Kernel,
    variables: readonly string[],
    paramBytes: number,
  ): GPUBindGroupLayout {
    const entries: GPUBindGroupLayoutEntry[] = variables.map((variable) => {
      const declared = kernel.buffers[variable];
      if (!declared) throw new KernelError(`${name}.wgsl has no storage binding ${variable}`);
      const type = declared.access === 'read' ? 'read-only-storage' : 'storage';
      return { binding: declared.binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } };
    });
    if (paramBytes > 0) {
      const buffer: GPUBufferBindingLayout = {
        type: 'uniform',
        hasDynamicOffset: true,
        minBindingSize: paramBytes,
      };
      entries.push({ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer });
    }
    return this.#gpu.createBindGroupLayout({ label: name, entries });
  }
}

function keyOf({ kernel, entry, constants, variables }: KernelVariant): string {
  let key = `${kernel}/${entry}`;
  for (const constant in constants) key += ` ${constant}=${constants[constant]}`;
  return `${key}(${variables})`;
}

/** Packs parameters as the kernel's `Params` struct; every field must be given and nothing else. */
export function packParams(
  kernel: string,
  fields: readonly ParamField[],
  values: Readonly<Record<string, number>>,
): ArrayBuffer | null {
  if (Object.keys(values).length !== fields.length) {
    throw new KernelError(
      `${kernel} takes parameters (${fields.map(([field]) => field)}), given (${Object.keys(values)})`,
    );
  }
  if (fields.length === 0) return null;
  const bytes = new ArrayBuffer(Math.ceil((4 * fields.length) / 16) * 16);
  const view = new DataView(bytes);
  fields.forEach(([field, type], i) => {
    const value = values[field];
    if (value === undefined) throw new KernelError(`${kernel}: parameter ${field} is missing`);
    if (type === 'f32') view.setFloat32(4 * i, value, true);
    else view.setUint32(4 * i, value, true);
  });
  return bytes;
}

// Compiled kernels and their bind groups, each made once. A pipeline is known by kernel, entry point
// and constants; a bind group by its layout and the buffer ranges bound.

import { type KernelName, kernelNames, kernelUrl } from '../shaders/index.ts';
import type { Counters } from './counters.ts';
import { KernelError, LimitError } from './errors.ts';
import { readText } from './platform.ts';
import type { Storage } from './pool.ts';
import type { Recorder } from './recorder.ts';
import { type KernelSource, parseKernel, type Specialisation, specialise } from './wgsl.ts';

/** A range of a storage, bound to a kernel's variable. Offset and size in bytes. */
export interface BufferRange {
  storage: Storage;
  offset: number;
  size: number;
}

/** A pipeline with what is needed to bind buffers to it. */
export interface CompiledKernel {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
  source: KernelSource;
  /** Kernel and entry point, for labels and profiles. */
  label: string;
  id: number;
  /** Size of `Params` in bytes, 0 without parameters. */
  paramBytes: number;
}

const cachedBindGroups = 16_384;

/** Loads the text of every kernel, with the shared parts that it names in `// needs PART.wgsl` lines. */
export async function loadKernelSources(): Promise<Map<KernelName, KernelSource>> {
  const parts = new Map<string, Promise<string>>();
  const load = async (name: string): Promise<string> => {
    const text = await readText(kernelUrl(name));
    const needed = [...text.matchAll(/^\/\/ needs ([\w-]+)\.wgsl$/gm)].map(([, part]) => {
      if (!parts.has(part!)) parts.set(part!, readText(kernelUrl(part!)));
      return parts.get(part!)!;
    });
    // WGSL takes declarations in any order; `enable` must stay first.
    return [text, ...(await Promise.all(needed))].join('\n');
  };
  const texts = await Promise.all(kernelNames.map(load));
  return new Map(kernelNames.map((name, i) => [name, parseKernel(name, texts[i]!)]));
}

export class Kernels {
  #gpu: GPUDevice;
  #counters: Counters;
  #sources: Map<KernelName, KernelSource>;
  #recorder: Recorder;
  #maxBindingBytes: number;
  #compiled = new Map<string, CompiledKernel>();
  #bindGroups = new Map<string, GPUBindGroup>();

  constructor(
    gpu: GPUDevice,
    counters: Counters,
    sources: Map<KernelName, KernelSource>,
    recorder: Recorder,
    maxBindingBytes: number,
  ) {
    this.#gpu = gpu;
    this.#counters = counters;
    this.#sources = sources;
    this.#recorder = recorder;
    this.#maxBindingBytes = maxBindingBytes;
  }

  /**
   * The pipeline of a kernel's entry point, specialised, for binding the variables named.
   * Throws KernelError when the file lacks one of them.
   */
  compile(name: KernelName, entry: string, constants: Specialisation, variables: string[]): CompiledKernel {
    let key = `${name}/${entry}`;
    for (const constant in constants) key += ` ${constant}=${constants[constant]}`;
    key += `(${variables})`;
    const known = this.#compiled.get(key);
    if (known) return known;
    const compiled = this.#compile(name, entry, constants, variables, key);
    this.#compiled.set(key, compiled);
    return compiled;
  }

  /** The bind group of buffer ranges, in the order of the variables that the kernel was compiled for. */
  bind(kernel: CompiledKernel, variables: readonly string[], ranges: readonly BufferRange[]): GPUBindGroup {
    let key = `${kernel.id}`;
    for (const { storage, offset, size } of ranges) key += `,${storage.id}:${offset}:${size}`;
    const known = this.#bindGroups.get(key);
    if (known) return known;
    if (this.#bindGroups.size >= cachedBindGroups) this.#bindGroups.clear();
    const group = this.#bind(kernel, variables, ranges);
    this.#bindGroups.set(key, group);
    return group;
  }

  /** Forgets the bind groups, after buffers were destroyed. */
  forgetBindGroups(): void {
    this.#bindGroups.clear();
  }

  #bind(kernel: CompiledKernel, variables: readonly string[], ranges: readonly BufferRange[]): GPUBindGroup {
    const entries: GPUBindGroupEntry[] = ranges.map(({ storage, offset, size }, i) => {
      if (size > this.#maxBindingBytes) {
        throw new LimitError(
          `${kernel.label} binds ${size} bytes as ${variables[i]}; this device binds at most ` +
            `${this.#maxBindingBytes} at once`,
        );
      }
      const { binding } = kernel.source.bindings.get(variables[i]!)!;
      return { binding, resource: { buffer: storage.buffer, offset, size } };
    });
    if (kernel.paramBytes > 0) {
      entries.push({ binding: 0, resource: { buffer: this.#recorder.uniforms, size: kernel.paramBytes } });
    }
    this.#counters.bindGroups++;
    return this.#gpu.createBindGroup({ label: kernel.label, layout: kernel.layout, entries });
  }

  #compile(
    name: KernelName,
    entry: string,
    constants: Specialisation,
    variables: string[],
    key: string,
  ): CompiledKernel {
    const source = this.#sources.get(name)!;
    const paramBytes = Math.ceil((4 * source.params.length) / 16) * 16;
    const layout = this.#layout(source, variables, paramBytes);
    const pipeline = this.#recorder.guard('validation', key, () =>
      this.#gpu.createComputePipeline({
        label: key,
        layout: this.#gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: {
          module: this.#gpu.createShaderModule({ label: key, code: specialise(source, constants) }),
          entryPoint: entry,
        },
      }),
    );
    this.#counters.pipelines++;
    return { pipeline, layout, source, label: `${name}/${entry}`, id: this.#compiled.size, paramBytes };
  }

  #layout(source: KernelSource, variables: readonly string[], paramBytes: number): GPUBindGroupLayout {
    const entries: GPUBindGroupLayoutEntry[] = variables.map((variable) => {
      const declared = source.bindings.get(variable);
      if (!declared) throw new KernelError(`${source.name}.wgsl has no storage binding ${variable}`);
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
    return this.#gpu.createBindGroupLayout({ label: source.name, entries });
  }
}

/** Packs parameters as the kernel's `Params` struct; every field must be given and nothing else. */
export function packParams(
  source: KernelSource,
  values: Readonly<Record<string, number>>,
): ArrayBuffer | null {
  const { params, name } = source;
  const given = Object.keys(values).length;
  if (given !== params.length) {
    throw new KernelError(
      `${name}.wgsl takes parameters (${params.map((p) => p.name)}), given (${Object.keys(values)})`,
    );
  }
  if (params.length === 0) return null;
  const bytes = new ArrayBuffer(Math.ceil((4 * params.length) / 16) * 16);
  const view = new DataView(bytes);
  params.forEach((param, i) => {
    const value = values[param.name];
    if (value === undefined) throw new KernelError(`${name}.wgsl: parameter ${param.name} is missing`);
    if (param.type === 'f32') view.setFloat32(4 * i, value, true);
    else view.setUint32(4 * i, value, true);
  });
  return bytes;
}

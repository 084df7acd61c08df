// The kernels and their types. A kernel is one .wgsl file in a folder beside this one, known by its file name; what several
// kernels share lies in files of its own, which they name in lines `// needs PART.wgsl`. `node shaders/generate.ts` makes
// generated/ of them, which is all that is loaded at run time.

import { kernels as generated } from './generated/index.js';
import type { Kernel } from './read-kernel.ts';

export type { Kernel };

type Kernels = typeof generated;

/** All kernels by name. */
export const kernels: Kernels & Readonly<Record<string, Kernel>> = generated;

/** A kernel's name: that of its file, without `.wgsl`. */
export type KernelName = keyof Kernels;

/** Entry points of a kernel. */
export type EntryOf<K extends KernelName> = K extends KernelName ? keyof Kernels[K]['entries'] : never;

/** Storage buffers that an entry point uses. */
export type BufferOf<K extends KernelName, E> = K extends KernelName
  ? E extends keyof Kernels[K]['entries']
    ? Extract<Kernels[K]['entries'][E], readonly string[]>[number]
    : never
  : never;

/** Values for the fields of a kernel's `Params`. */
export type ParamsOf<K extends KernelName> = Readonly<
  Record<K extends KernelName ? keyof Kernels[K]['params'] : never, number>
>;

/** Values for some of a kernel's constants and aliases; of several kernels, what any of them has. */
export type ConstantsOf<K extends KernelName> = {
  readonly [C in K extends KernelName ? keyof Kernels[K]['constants'] : never]?: ConstantValue<K, C>;
};

type ConstantValue<K extends KernelName, C> = K extends KernelName
  ? C extends keyof Kernels[K]['constants']
    ? HostValues[Extract<Kernels[K]['constants'][C], keyof HostValues>]
    : never
  : never;

interface HostValues {
  u32: number;
  i32: number;
  f32: number;
  bool: boolean;
  type: 'f32' | 'f16' | 'i32' | 'u32' | 'vec4f';
}

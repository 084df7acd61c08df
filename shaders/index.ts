// The list of kernel files. A kernel is one .wgsl file beside this one; adding a kernel means adding its name.
// What several kernels share lies in files of its own, which they name in a line `// needs PART.wgsl`.

/** Names of all kernels, without `.wgsl`. */
// biome-ignore format: one kernel a line
export const kernelNames = [
  'elementwise-unary',
  'elementwise-binary',
  'reduce',
  'strided-copy',
  'layer-norm',
  'softmax',
  'cross-entropy',
  'l2-normalize',
  'matmul-register',
  'matmul-subgroup',
  'matmul-panel',
  'matmul-tiled',
  'matmul-tiled-fours',
  'random',
  'straight-through',
  'gradient-norm',
  'adam',
  'embedding',
  'patchify',
  'convolution',
  'pooling',
  'top-k',
  'cast',
  'ceiling-copy',
  'ceiling-fma',
  'attention-register',
  'attention-subgroup',
  'attention-tiled',
  'attention-quad',
  'attention-backward',
  'mean-attention',
  'ragged-mean-attention',
  'ragged-mean-attention-panel',
  'ragged-mean-attention-shared',
  'attention-backward-subgroup',
  'attention-backward-quad',
  'context-score',
  'dual-unit',
  'expert-choice',
  'rank',
  'half',
  'int8-rows',
] as const;

export type KernelName = (typeof kernelNames)[number];

/** Where the text of a kernel, or of a part that kernels share, is. */
export function kernelUrl(name: string): URL {
  return new URL(`./${name}.wgsl`, import.meta.url);
}

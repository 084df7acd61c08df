// The engine for users: tensors on WebGPU, gradients, optimisers, and the operations of transformers and of scoring.
// `import { openDevice } from 'dsmip/engine'` in Node, Deno and the browser. What is not named here may change at any time.

export { backward, backwardFrom, type Gradients, noGrad } from './autograd.ts';
export type { Counters } from './device/counters.ts';
export { type ProfileRow, profileTable } from './device/profiler.ts';
export { Device, type DeviceOptions, openDevice } from './device.ts';
export {
  DeviceLostError,
  DeviceMismatchError,
  DtypeError,
  EngineError,
  KernelError,
  LimitError,
  NoAdapterError,
  OutOfMemoryError,
  ReleasedTensorError,
  ShapeError,
} from './errors.ts';
export { normal, randomBits, uniform } from './kernels/random.ts';
export { Adam, type AdamOptions, type AdamState, type AdamStep } from './nn/adam.ts';
export { type AttentionOptions, attention } from './ops/attention/attention.ts';
export { meanAttention } from './ops/attention/mean-attention.ts';
export { raggedMeanAttention } from './ops/attention/ragged-mean-attention.ts';
export { crossEntropy } from './ops/cross-entropy.ts';
export { dropout } from './ops/dropout.ts';
export {
  add,
  affine,
  div,
  exp,
  gelu,
  leakyRelu,
  log,
  mul,
  quickGelu,
  relu,
  scale,
  sigmoid,
  sqrt,
  sub,
  tanh,
} from './ops/elementwise.ts';
export { embedding } from './ops/embedding.ts';
export { feedForward, type LinearWeights } from './ops/feed-forward.ts';
export { gumbelNoise, straightThrough } from './ops/gumbel.ts';
export { conv3x3 } from './ops/images/convolution.ts';
export { patchEmbedding, patchify } from './ops/images/patch-embedding.ts';
export { adaptiveAveragePool, maxPool2x2 } from './ops/images/pooling.ts';
export { l2Normalize } from './ops/l2-normalize.ts';
export { layerNorm } from './ops/layer-norm.ts';
export { type LinearOptions, linear } from './ops/linear.ts';
export { type MatmulOptions, matmul } from './ops/matmul.ts';
export { mean, sum } from './ops/reduce.ts';
export { conv1d } from './ops/sequence/conv1d.ts';
export { type LstmOptions, lstm } from './ops/sequence/lstm.ts';
export { maximum, maxOverTime } from './ops/sequence/max-over-time.ts';
export { broadcastTo, concat, reshape, slice, transpose } from './ops/shape.ts';
export { softmax } from './ops/softmax.ts';
export { cast } from './ops/storage/cast.ts';
export { argmax, topK } from './ops/top-k.ts';
export { Random, type RandomState } from './random.ts';
export type { Dtype, HostArray, HostArrays, Shape, Tensor } from './tensor.ts';

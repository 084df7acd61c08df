// Adam with decoupled weight decay over all parameters in a few dispatches. The parameters move into flat
// buffers ("chunks"), in which gradients and moments have the same layout, so that one dispatch updates many.

import type { Gradients } from '../autograd.ts';
import { type Device, linearGrid } from '../device.ts';
import { EngineError, ShapeError } from '../errors.ts';
import { checkOperands, describe, type Tensor } from '../tensor.ts';

export interface AdamOptions {
  lr: number;
  beta1?: number;
  beta2?: number;
  eps?: number;
  /** Decoupled, as in AdamW. Default 0. */
  weightDecay?: number;
  /** Factors on the learning rate, for parameters that have one of their own. */
  rates?: ReadonlyMap<Tensor, number>;
}

export interface AdamStep {
  /** Learning rate of this step, instead of the optimiser's. */
  lr?: number;
  /** Largest global norm of the gradients; larger ones are scaled down. Infinity only measures the norm. */
  clipNorm?: number;
}

/** What a checkpoint keeps: steps done, and both moments by parameter name, flat. */
export interface AdamState {
  step: number;
  m: Map<string, Float32Array<ArrayBuffer>>;
  v: Map<string, Float32Array<ArrayBuffer>>;
}

/** Where a parameter lies in its chunk, in elements. */
interface Place {
  parameter: Tensor;
  first: number;
}

interface Chunk {
  places: Place[];
  /** Elements, padding included. */
  size: number;
  /** Factor on the learning rate. */
  rate: number;
  /** Whether some elements belong to no parameter. */
  padded: boolean;
  p: Tensor;
  m: Tensor;
  v: Tensor;
}

/** More would hardly save dispatches and needs ever larger pieces of free memory. */
const mostChunkBytes = 2 ** 29;
/** Groups of four elements that one workgroup of gradient-norm.wgsl sums. */
const groupsPerPartial = 1024;

export class Adam {
  #device: Device;
  #options: Required<Omit<AdamOptions, 'rates'>>;
  #chunks: Chunk[];
  /** [norm, clipping scale] of the latest step that clipped. */
  #norm: Tensor;
  #measured = false;
  #steps = 0;

  /**
   * Moves the parameters into flat buffers; their tensors stay valid, older views of them do not follow.
   * Make it outside of any scope. Throws EngineError for options out of range and for parameters that share
   * a name, DtypeError for parameters that are not f32.
   */
  constructor(parameters: readonly Tensor[], { rates, ...options }: AdamOptions) {
    const first = parameters[0];
    if (!first) throw new EngineError('Adam: expected at least one parameter');
    checkParameters(parameters);
    this.#options = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, ...options };
    checkOptions(this.#options);
    this.#device = first.device;
    this.#chunks = [...byRate(parameters, rates)].flatMap(([rate, own]) =>
      layOut(this.#device, own).map((places) => moveIn(this.#device, places, rate)),
    );
    this.#norm = this.#device.zeros([2], 'f32', 'gradient norm');
  }

  /** Steps done so far. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * One step of torch.optim.AdamW, after torch.nn.utils.clip_grad_norm_ where `clipNorm` is given. Gradients
   * are found by the parameter's tensor; a parameter without one counts as having zeros. Gradients
   * that are not finite pass into the parameters. Throws ShapeError for a gradient of the wrong size and
   * EngineError when there are gradients but none for any of the parameters.
   */
  step(gradients: Gradients, { lr = this.#options.lr, clipNorm }: AdamStep = {}): void {
    checkRange('lr', lr, lr >= 0 && lr < Infinity, 'at least 0');
    if (clipNorm !== undefined) checkRange('clipNorm', clipNorm, clipNorm > 0, 'above 0');
    this.#checkGradients(gradients);
    this.#device.scope(() => {
      const flat = this.#chunks.map((chunk) => this.#gather(chunk, gradients));
      this.#measured = clipNorm !== undefined;
      if (clipNorm !== undefined) this.#measureNorm(flat, clipNorm);
      this.#steps++;
      this.#chunks.forEach((chunk, i) => {
        this.#update(chunk, flat[i]!, lr * chunk.rate, clipNorm !== undefined);
      });
    });
  }

  /** Global norm of the latest step's gradients before clipping; EngineError if it had no `clipNorm`. */
  async lastNorm(): Promise<number> {
    if (!this.#measured)
      throw new EngineError('Adam: the latest step had no clipNorm, so its norm is unknown');
    return (await this.#device.read<'f32'>(this.#norm))[0]!;
  }

  /** The optimiser's state now; later steps do not change what is returned. */
  async state(): Promise<AdamState> {
    const step = this.#steps;
    const reads = this.#chunks.map(
      ({ m, v }) => [this.#device.read<'f32'>(m), this.#device.read<'f32'>(v)] as const,
    );
    const state: AdamState = { step, m: new Map(), v: new Map() };
    for (const [i, [pendingM, pendingV]] of reads.entries()) {
      const [m, v] = await Promise.all([pendingM, pendingV]);
      for (const { parameter, first } of this.#chunks[i]!.places) {
        state.m.set(parameter.name, m.slice(first, first + parameter.size));
        state.v.set(parameter.name, v.slice(first, first + parameter.size));
      }
    }
    return state;
  }

  /** Goes on from a state. Throws EngineError or ShapeError, and changes nothing, when it does not fit. */
  restore(state: AdamState): void {
    const places = this.#chunks.flatMap((chunk) => chunk.places);
    checkRange(
      'state: step',
      state.step,
      Number.isSafeInteger(state.step) && state.step >= 0,
      'an integer of at least 0',
    );
    checkMoments('m', state.m, places);
    checkMoments('v', state.v, places);
    for (const { places, size, m, v } of this.#chunks) {
      for (const [tensor, moments] of [
        [m, state.m],
        [v, state.v],
      ] as const) {
        const flat = new Float32Array(size);
        for (const { parameter, first } of places) flat.set(moments.get(parameter.name)!, first);
        this.#device.write(tensor, flat);
      }
    }
    this.#steps = state.step;
  }

  /** Lets go of the moments. The parameters stay as they are. */
  release(): void {
    for (const { p, m, v } of this.#chunks) for (const tensor of [p, m, v]) tensor.release();
    this.#norm.release();
  }

  #checkGradients(gradients: Gradients): void {
    let found = false;
    for (const { places } of this.#chunks) {
      for (const { parameter } of places) {
        const gradient = gradients.get(parameter);
        if (!gradient) continue;
        found = true;
        checkOperands('Adam', { parameter, gradient });
        if (gradient.size !== parameter.size) {
          throw new ShapeError(`Adam: gradient (${describe(gradient)}) of ${describe(parameter)}`);
        }
      }
    }
    if (gradients.size > 0 && !found) {
      throw new EngineError(`Adam: none of the ${gradients.size} gradients belongs to one of the parameters`);
    }
  }

  /** The gradients in the chunk's layout, zero where there is none. */
  #gather({ places, size, padded }: Chunk, gradients: Gradients): Tensor {
    const flat = this.#device.empty([size], 'f32', 'flat gradients');
    if (padded || places.some(({ parameter }) => !gradients.has(parameter))) this.#device.clear(flat);
    for (const { parameter, first } of places) {
      const gradient = gradients.get(parameter);
      if (gradient) this.#device.copy(gradient, flat, gradient.size, 0, first);
    }
    return flat;
  }

  /** Leaves norm and clipping scale of all gradients in `#norm`, on the device. */
  #measureNorm(flat: readonly Tensor[], clipNorm: number): void {
    const device = this.#device;
    const parts = flat.flatMap((g) => parted(g).map((part) => ({ g, ...part })));
    const lanes = device.isCpu ? 8 : 64;
    const constants = { LANES: lanes, ITEMS: groupsPerPartial / lanes };
    const partialsOf = (count: number) => Math.ceil(count / 4 / groupsPerPartial);
    const total = parts.reduce((sum, { count }) => sum + partialsOf(count), 0);
    const partials = device.empty([total], 'f32', 'partial norms');
    // Infinity may not be compared with on every device; no finite norm exceeds this.
    const limit = Math.min(clipNorm, 3.4e38);
    let next = 0;
    for (const { g, first, count } of parts) {
      device.run({
        kernel: 'gradient-norm',
        entry: 'squares',
        constants,
        buffers: { g: g.range(first, count), partials },
        params: { n: count / 4, first: next, limit },
        grid: linearGrid(partialsOf(count)),
        flops: 2 * count,
        bytes: 4 * count,
      });
      next += partialsOf(count);
    }
    const params = { n: total, first: 0, limit };
    const buffers = { partials, norm: this.#norm };
    device.run({
      kernel: 'gradient-norm',
      entry: 'finish',
      constants,
      buffers,
      params,
      grid: [1, 1, 1],
      bytes: 4 * total,
    });
  }

  #update({ p, m, v }: Chunk, g: Tensor, lr: number, clip: boolean): void {
    const { beta1, beta2, eps, weightDecay } = this.#options;
    const shared = {
      keep_1: 1 - beta1,
      beta_2: beta2,
      keep_2: 1 - beta2,
      step_size: lr / (1 - beta1 ** this.#steps),
      root_correction: Math.sqrt(1 - beta2 ** this.#steps),
      eps,
      decay: 1 - lr * weightDecay,
    };
    for (const { first, count } of parted(p)) {
      const part = (tensor: Tensor) => tensor.range(first, count);
      this.#device.run({
        kernel: 'adam',
        entry: 'step',
        constants: { CLIP: clip },
        buffers: { p: part(p), g: part(g), m: part(m), v: part(v), norm: this.#norm },
        params: { n: count / 4, ...shared },
        grid: linearGrid(Math.ceil(count / 256)),
        flops: 15 * count,
        bytes: 28 * count,
      });
    }
  }
}

/** Elements at whose multiples a parameter starts, so that it can be bound by itself. */
function alignment(device: Device): number {
  return Math.max(256, device.bindingAlignment) / 4;
}

/** Parameters by the factor on their learning rate. Throws EngineError for a factor out of range. */
function byRate(parameters: readonly Tensor[], rates: AdamOptions['rates']): Map<number, Tensor[]> {
  const groups = new Map<number, Tensor[]>();
  for (const parameter of parameters) {
    const rate = rates?.get(parameter) ?? 1;
    checkRange(`rate of ${parameter.name}`, rate, rate >= 0 && rate < Infinity, 'at least 0');
    groups.set(rate, [...(groups.get(rate) ?? []), parameter]);
  }
  return groups;
}

/** Shares the parameters out over chunks that can be bound whole; a larger parameter gets its own. */
function layOut(device: Device, parameters: readonly Tensor[]): Place[][] {
  const align = alignment(device);
  const most = Math.min(device.maxBindingBytes, mostChunkBytes) / 4;
  const chunks: Place[][] = [];
  let next = Number.POSITIVE_INFINITY;
  for (const parameter of parameters) {
    const end = next + Math.ceil(parameter.size / align) * align;
    if (end > most) {
      chunks.push([]);
      next = 0;
    }
    chunks.at(-1)!.push({ parameter, first: next });
    next += Math.ceil(parameter.size / align) * align;
  }
  return chunks;
}

/** Makes a chunk's buffers and moves its parameters in. */
function moveIn(device: Device, places: Place[], rate: number): Chunk {
  const align = alignment(device);
  const last = places.at(-1)!;
  const size = last.first + Math.ceil(last.parameter.size / align) * align;
  const padded = places.reduce((total, { parameter }) => total + parameter.size, 0) < size;
  const [p, m, v] = ['parameters', 'first moments', 'second moments'].map((name) =>
    device.zeros([size], 'f32', name),
  ) as [Tensor, Tensor, Tensor];
  for (const { parameter, first } of places) {
    device.copy(parameter, p, parameter.size, 0, first);
    parameter.rebind(p.storage, 4 * first);
  }
  return { places, size, rate, padded, p, m, v };
}

/** The parts of a flat tensor that can each be bound. */
function parted(flat: Tensor): { first: number; count: number }[] {
  const align = alignment(flat.device);
  const most = Math.floor(flat.device.maxBindingBytes / 4 / align) * align;
  return Array.from({ length: Math.ceil(flat.size / most) }, (_, i) => ({
    first: i * most,
    count: Math.min(most, flat.size - i * most),
  }));
}

function checkParameters(parameters: readonly Tensor[]): void {
  const names = new Set<string>();
  for (const parameter of parameters) {
    checkOperands('Adam', { first: parameters[0]!, parameter });
    if (names.has(parameter.name)) throw new EngineError(`Adam: two parameters are named ${parameter.name}`);
    names.add(parameter.name);
  }
}

function checkOptions({ lr, beta1, beta2, eps, weightDecay }: Required<Omit<AdamOptions, 'rates'>>): void {
  checkRange('lr', lr, lr >= 0 && lr < Infinity, 'at least 0');
  checkRange('beta1', beta1, beta1 >= 0 && beta1 < 1, 'at least 0 and below 1');
  checkRange('beta2', beta2, beta2 >= 0 && beta2 < 1, 'at least 0 and below 1');
  checkRange('eps', eps, eps >= 0 && eps < Infinity, 'at least 0');
  checkRange('weightDecay', weightDecay, weightDecay >= 0 && weightDecay < Infinity, 'at least 0');
}

function checkRange(name: string, value: number, fits: boolean, expected: string): void {
  if (!fits) throw new EngineError(`Adam: ${name} ${value} must be ${expected}`);
}

/** Throws unless the moments are those of exactly these parameters. */
function checkMoments(which: 'm' | 'v', moments: AdamState['m'], places: readonly Place[]): void {
  for (const { parameter } of places) {
    const found = moments.get(parameter.name);
    if (!found) throw new EngineError(`Adam: state: ${which} lacks parameter ${parameter.name}`);
    if (found.length !== parameter.size) {
      throw new ShapeError(`Adam: state: ${which} has ${found.length} elements for ${describe(parameter)}`);
    }
  }
  if (moments.size !== places.length) {
    const known = new Set(places.map(({ parameter }) => parameter.name));
    const stranger = [...moments.keys()].find((name) => !known.has(name));
    throw new EngineError(`Adam: state: ${which} holds ${stranger}, which is no parameter`);
  }
}

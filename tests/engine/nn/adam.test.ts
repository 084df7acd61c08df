// Adam against torch.optim.AdamW and clip_grad_norm_, its state and its refusals.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward, type Gradients } from '../../../engine/autograd.ts';
import { type Device, openDevice } from '../../../engine/device.ts';
import { DtypeError, EngineError, ShapeError } from '../../../engine/errors.ts';
import { Adam, type AdamOptions } from '../../../engine/nn/adam.ts';
import { mul } from '../../../engine/ops/elementwise.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { device } from '../../support/device.ts';
import { assertClose } from '../../support/gradient.ts';
import { normal } from '../../support/random.ts';

const sizes = [1, 63, 64, 65, 257, 1009, 4096, 5000];
const defaults = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 };

/** PyTorch's formulas in float64. `gradients[t][i]` is null where parameter i took no part in step t. */
function reference(
  start: readonly ArrayLike<number>[],
  gradients: readonly (readonly (ArrayLike<number> | null)[])[],
  options: AdamOptions,
  clipNorm = Infinity,
) {
  const { lr, beta1, beta2, eps, weightDecay } = { ...defaults, ...options };
  const p = start.map((x) => Float64Array.from(x));
  const m = p.map((x) => new Float64Array(x.length));
  const v = p.map((x) => new Float64Array(x.length));
  const norms: number[] = [];
  for (const [t, all] of gradients.entries()) {
    let squares = 0;
    for (const g of all) for (let k = 0; k < (g?.length ?? 0); k++) squares += g![k]! ** 2;
    norms.push(Math.sqrt(squares));
    const scale = Math.min(1, clipNorm / (Math.sqrt(squares) + 1e-6));
    for (const [i, x] of p.entries()) {
      for (let k = 0; k < x.length; k++) {
        const g = scale * (all[i]?.[k] ?? 0);
        m[i]![k] = beta1 * m[i]![k]! + (1 - beta1) * g;
        v[i]![k] = beta2 * v[i]![k]! + (1 - beta2) * g * g;
        const spread = Math.sqrt(v[i]![k]! / (1 - beta2 ** (t + 1))) + eps;
        x[k] = (1 - lr * weightDecay) * x[k]! - ((lr / (1 - beta1 ** (t + 1))) * m[i]![k]!) / spread;
      }
    }
  }
  return { p, m, v, norms };
}

const cases: { name: string; options: AdamOptions; clipNorm?: number }[] = [
  { name: 'Adam', options: { lr: 5e-4 } },
  { name: 'AdamW', options: { lr: 0.01, weightDecay: 0.1, beta1: 0.8, beta2: 0.95, eps: 1e-6 } },
  { name: 'Adam without momentum', options: { lr: 0.01, beta1: 0, beta2: 0 } },
  { name: 'Adam under clipping', options: { lr: 0.01 }, clipNorm: 1.5 },
  { name: 'Adam under clipping that does not bite', options: { lr: 0.01 }, clipNorm: 1e4 },
];

for (const { name, options, clipNorm } of cases) {
  test(`${name} equals PyTorch's formulas in float64, one chunk or many`, async () => {
    for (const maxBindingBytes of [undefined, 4096]) {
      const own = maxBindingBytes ? await openDevice({ maxBindingBytes }) : device;
      await compare(own, options, clipNorm);
      if (own !== device) own.destroy();
    }
  });
}

async function compare(own: Device, options: AdamOptions, clipNorm: number | undefined): Promise<void> {
  const start = sizes.map((n) => normal(n, n));
  const parameters = sizes.map((n, i) => own.parameter([n], start[i]!, `p${n}`));
  const adam = new Adam(parameters, options);
  // In step 1 the third parameter takes no part.
  const steps = [0, 1, 2].map((t) => sizes.map((n, i) => (t === 1 && i === 2 ? null : normal(n, 7 * n + t))));
  const norms: number[] = [];
  for (const gradients of steps) {
    own.scope(() => adam.step(asMap(own, parameters, gradients), clipNorm === undefined ? {} : { clipNorm }));
    if (clipNorm !== undefined) norms.push(await adam.lastNorm());
  }
  const expected = reference(start, steps, options, clipNorm);
  const state = await adam.state();
  assert.is(state.step, 3);
  for (const [i, parameter] of parameters.entries()) {
    assertClose(await parameter.read(), expected.p[i]!, 1e-6, parameter.name);
    assertClose(state.m.get(parameter.name)!, expected.m[i]!, 1e-6, `m of ${parameter.name}`);
    assertClose(state.v.get(parameter.name)!, expected.v[i]!, 1e-6, `v of ${parameter.name}`);
  }
  if (clipNorm !== undefined) assertClose(norms, expected.norms, 1e-6, 'norms');
}

test('the parameters stay themselves: same contents, aligned for binding, usable in ops and by backward', async () => {
  const start = sizes.map((n) => normal(n, n));
  const parameters = sizes.map((n, i) => device.parameter([n], start[i]!, `p${n}`));
  const adam = new Adam(parameters, { lr: 1 });
  for (const [i, parameter] of parameters.entries()) {
    assert.equal(await parameter.read(), start[i]);
    assert.is(parameter.offset % Math.max(256, device.bindingAlignment), 0);
  }
  assert.is(new Set(parameters.map((parameter) => parameter.storage)).size, 1, 'one chunk holds them all');
  const gradients = backward(sum(mul(parameters[5]!, parameters[5]!)));
  assert.equal(
    await gradients.get(parameters[5]!)!.read(),
    start[5]!.map((v) => 2 * v),
  );
  // A first step moves each element by lr against the sign of its gradient.
  adam.step(gradients);
  assertClose(
    await parameters[5]!.read(),
    start[5]!.map((v) => v - Math.sign(v)),
    1e-4,
    'after a step',
  );
  assert.equal(await parameters[4]!.read(), start[4], 'a parameter without a gradient');
});

test('in the steady state a step allocates nothing and takes one dispatch a chunk, with clipping three', () => {
  const parameters = sizes.map((n) => device.parameter([n], normal(n, n), `p${n}`));
  const adam = new Adam(parameters, { lr: 1e-3 });
  const gradients = asMap(
    device,
    parameters,
    sizes.map((n) => normal(n, n + 1)),
  );
  for (const [options, dispatches] of [
    [{}, 1],
    [{ clipNorm: 1 }, 3],
  ] as const) {
    adam.step(gradients, options);
    const before = { ...device.counters };
    for (let i = 0; i < 20; i++) adam.step(gradients, options);
    assert.is(device.counters.allocations, before.allocations);
    assert.is(device.counters.bindGroups, before.bindGroups);
    assert.is(device.counters.liveBytes, before.liveBytes);
    assert.is(device.counters.dispatches, before.dispatches + 20 * dispatches);
  }
});

test('a restored state goes on with the same bits, in another layout too', async () => {
  const start = sizes.map((n) => normal(n, n));
  const gradients = (t: number) => sizes.map((n) => normal(n, n + t));
  const small = await openDevice({ maxBindingBytes: 8192 });
  const parameters = sizes.map((n, i) => small.parameter([n], start[i]!, `p${n}`));
  const adam = new Adam(parameters, { lr: 0.01 });
  for (const t of [1, 2]) adam.step(asMap(small, parameters, gradients(t)));
  const pending = adam.state();
  const kept = parameters.map((parameter) => parameter.read() as Promise<Float32Array<ArrayBuffer>>);
  adam.step(asMap(small, parameters, gradients(3)));
  const state = await pending;
  assert.is(state.step, 2, 'a state does not see later steps');

  const contents = await Promise.all(kept);
  const copies = sizes.map((n, i) => device.parameter([n], contents[i]!, `p${n}`)).reverse();
  const other = new Adam(copies, { lr: 0.01 });
  other.restore(state);
  const again = await other.state();
  assert.equal(again.step, 2);
  for (const n of sizes) {
    assert.equal(again.m.get(`p${n}`), state.m.get(`p${n}`));
    assert.equal(again.v.get(`p${n}`), state.v.get(`p${n}`));
  }
  other.step(asMap(device, copies, gradients(3).reverse()));
  for (const [i, parameter] of parameters.entries()) {
    assert.equal(await copies[sizes.length - 1 - i]!.read(), await parameter.read(), parameter.name);
  }
  small.destroy();
});

test('a learning rate given to a step counts for that step only', async () => {
  const start = normal(100, 1);
  const parameter = device.parameter([100], start, 'p');
  const adam = new Adam([parameter], { lr: 0.5 });
  const gradients = asMap(device, [parameter], [normal(100, 2)]);
  adam.step(gradients, { lr: 0 });
  assert.equal(await parameter.read(), start);
  adam.step(gradients);
  assert.not.equal(await parameter.read(), start);
});

test('parameters with a rate of their own go as far as with an optimiser of that rate, the norm being that of all', async () => {
  const start = sizes.map((n) => normal(n, n));
  const stepsTo = async (lr: number, rated: ReadonlySet<number>) => {
    const parameters = sizes.map((n, i) => device.parameter([n], start[i]!, `p${n}`));
    const rates = new Map([...rated].map((i) => [parameters[i]!, 0.1]));
    const adam = new Adam(parameters, { lr, weightDecay: 0.1, rates });
    for (const t of [0, 1]) {
      const gradients = sizes.map((n) => normal(n, 5 * n + t));
      device.scope(() => adam.step(asMap(device, parameters, gradients), { clipNorm: 2 }));
    }
    const values = await Promise.all(parameters.map((p) => device.read<'f32'>(p)));
    adam.release();
    for (const p of parameters) p.release();
    return values;
  };
  const rated = new Set([1, 4]);
  const [own, slow, fast] = [
    await stepsTo(0.01, rated),
    await stepsTo(0.001, new Set()),
    await stepsTo(0.01, new Set()),
  ];
  for (const i of sizes.keys()) {
    assertClose(own[i]!, rated.has(i) ? slow[i]! : fast[i]!, 1e-6, `p${sizes[i]}`);
    assert.not.equal(own[i], rated.has(i) ? fast[i] : slow[i]);
  }
});

test('gradients that are not finite end up in the parameters', async () => {
  const step = async (gradient: number[], options: { clipNorm?: number }) => {
    const parameters = [device.parameter([2], [1, 1], 'a'), device.parameter([2], [1, 1], 'b')];
    new Adam(parameters, { lr: 0.1 }).step(asMap(device, parameters, [gradient, [1, 1]]), options);
    const contents = await Promise.all(parameters.map((parameter) => parameter.read()));
    return contents.flatMap((values) => [...values].map((v) => Number.isNaN(v)));
  };
  assert.equal(await step([Number.NaN, 1], {}), [true, false, false, false]);
  assert.equal(await step([1, Infinity], {}), [false, true, false, false]);
  assert.equal(await step([Number.NaN, 1], { clipNorm: 1 }), [true, true, true, true]);
  // The scale is 0 then: infinity times it is NaN, everything else stops.
  assert.equal(await step([1, Infinity], { clipNorm: 1 }), [false, true, false, false]);
  assert.equal(await step([1, 2], { clipNorm: Infinity }), [false, false, false, false]);
});

test('norms: measured without clipping, not finite, or never measured', async () => {
  const parameter = device.parameter([3], [1, 1, 1], 'p');
  const adam = new Adam([parameter], { lr: 0 });
  const refused = await adam.lastNorm().then(
    () => null,
    (error: Error) => error,
  );
  assert.ok(refused instanceof EngineError && /clipNorm/.test(refused.message));
  adam.step(asMap(device, [parameter], [[2, 3, 6]]), { clipNorm: Infinity });
  assert.is(await adam.lastNorm(), 7);
  adam.step(asMap(device, [parameter], [[2, -Infinity, 6]]), { clipNorm: 1 });
  assert.is(await adam.lastNorm(), Infinity);
  adam.step(asMap(device, [parameter], [[2, Number.NaN, 6]]), { clipNorm: 1 });
  assert.ok(Number.isNaN(await adam.lastNorm()));
});

test('the norm of many elements is exact enough and the same each time', async () => {
  const n = 300_001;
  const values = normal(n, 5);
  const parameter = device.parameter([n], values, 'p');
  const adam = new Adam([parameter], { lr: 0 });
  const gradients = asMap(device, [parameter], [values]);
  adam.step(gradients, { clipNorm: 1 });
  const norm = await adam.lastNorm();
  assertClose([norm], [Math.sqrt(values.reduce((total, v) => total + v * v, 0))], 1e-6, 'norm');
  adam.step(gradients, { clipNorm: 1 });
  assert.is(await adam.lastNorm(), norm);
});

test('what does not fit is refused, and changes nothing', async () => {
  const refuse = (body: () => unknown, type: new (message: string) => Error, words: RegExp) =>
    assert.throws(body, (error: Error) => error instanceof type && words.test(error.message));
  const start = normal(6, 1);
  const parameter = device.parameter([6], start, 'weight');
  refuse(() => new Adam([], { lr: 1 }), EngineError, /at least one/);
  refuse(() => new Adam([parameter, parameter], { lr: 1 }), EngineError, /two parameters are named weight/);
  refuse(() => new Adam([device.zeros([2], 'i32')], { lr: 1 }), DtypeError, /i32/);
  for (const bad of [
    { lr: -1 },
    { lr: Number.NaN },
    { beta1: 1 },
    { beta2: -0.1 },
    { eps: -1 },
    { weightDecay: -1 },
  ]) {
    refuse(() => new Adam([parameter], { lr: 1, ...bad }), EngineError, new RegExp(Object.keys(bad)[0]!));
  }
  const adam = new Adam([parameter], { lr: 1 });
  const wrongSize = new Map([[parameter, device.zeros([5])]]);
  refuse(() => adam.step(wrongSize), ShapeError, /weight/);
  const twin = device.parameter([6], start, 'weight');
  refuse(() => adam.step(asMap(device, [twin], [start])), EngineError, /none of the 1/);
  for (const clipNorm of [0, -1, Number.NaN])
    refuse(() => adam.step(new Map(), { clipNorm }), EngineError, /clipNorm/);
  refuse(() => adam.step(new Map(), { lr: -1 }), EngineError, /lr/);

  const state = await adam.state();
  const other = (name: string, n: number) => new Map([[name, new Float32Array(n).fill(1)]]);
  refuse(() => adam.restore({ ...state, m: other('bias', 6) }), EngineError, /m lacks parameter weight/);
  refuse(() => adam.restore({ ...state, v: other('weight', 5) }), ShapeError, /v has 5 elements for weight/);
  refuse(
    () => adam.restore({ ...state, v: new Map([...state.v, ...other('bias', 6)]) }),
    EngineError,
    /v holds bias/,
  );
  refuse(() => adam.restore({ ...state, step: -1 }), EngineError, /step/);
  assert.equal(await adam.state(), state);
  assert.is(adam.steps, 0);
  assert.equal(await parameter.read(), start);
});

/** Gradients with the given contents; null for none. */
function asMap(
  own: Device,
  parameters: readonly Tensor[],
  contents: readonly (ArrayLike<number> | null)[],
): Gradients {
  const map = new Map<Tensor, Tensor>();
  for (const [i, parameter] of parameters.entries()) {
    const values = contents[i];
    if (values) map.set(parameter, own.tensor(parameter.shape, Float32Array.from(values)));
  }
  return map;
}

test.run();

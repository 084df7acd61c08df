// What is read off the kernels' text, that generated/ is up to date, and that the type checker knows what it holds.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Device } from '../../engine/device.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { outdated } from '../../shaders/kernel-modules.ts';
import { neededParts, readKernel, withoutComments } from '../../shaders/read-kernel.ts';

const text = `// A kernel: fn unreal(y) { }
// needs row-lanes.wgsl
const ROWS: u32 = 8u; /* one
more */ const EXACT: bool = false;
const THREADS: u32 = ROWS * 2u;
alias Weight = f32;
alias Panel = array<vec4f, ROWS>;
struct Params {
  n: u32, // a comment: not: a field
  scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> x: array<Weight>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> z: array<f32>;
fn twice(i: u32) -> f32 { return 2.0 * x[i]; }
fn inner(z: array<f32, 2>) -> f32 { return z[0]; }
@compute @workgroup_size(ROWS)
fn forward(@builtin(local_invocation_index) lane: u32) {
  if lane < params.n { y[lane] = twice(lane); }
}
@compute @workgroup_size(64)
fn clear(@builtin(local_invocation_index) lane: u32) {
  let x = array<f32, 2>();
  z[lane] = inner(x) + x[0];
}
`;

test('parameters, buffers, constants and what each entry point uses are read off the text', () => {
  const kernel = readKernel('sample', withoutComments(text));
  assert.equal(kernel.params, { n: 'u32', scale: 'f32' });
  assert.equal(kernel.buffers, {
    x: { binding: 3, access: 'read' },
    y: { binding: 5, access: 'read_write' },
    z: { binding: 6, access: 'read_write' },
  });
  assert.equal(kernel.constants, { ROWS: 'u32', Weight: 'type' });
  assert.equal(kernel.entries, { forward: ['x', 'y'], clear: ['z'] });
});

test('comments go and lines stay', () => {
  const bare = withoutComments(text);
  assert.is(bare.split('\n').length, text.split('\n').length);
  assert.not(/comment|unreal|needs/.test(bare));
  assert.equal(neededParts(text), ['row-lanes']);
});

test('a parameter that cannot be packed is refused', () => {
  assert.throws(() => readKernel('bad', 'struct Params { v: vec3f, }'), /bad\.wgsl: Params\.v is vec3f/);
});

test('shaders/generated is what the .wgsl files give', async () => {
  assert.equal(await outdated(), [], 'run `node shaders/generate.ts`');
});

/** Never called: each line marked so must not compile. */
export function misspelt(device: Device, x: Tensor, y: Tensor): void {
  const good = {
    kernel: 'elementwise-unary',
    entry: 'forward',
    constants: { OP: 1 },
    params: { n: 1, alpha: 1, beta: 1 },
    grid: [1, 1, 1],
  } as const;
  device.run({ ...good, buffers: { x, y } });
  // @ts-expect-error: no such kernel
  device.run({ ...good, kernel: 'elementwise-unery', buffers: { x, y } });
  // @ts-expect-error: no such entry point
  device.run({ ...good, entry: 'forwards', buffers: { x, y } });
  // @ts-expect-error: no such constant
  device.run({ ...good, constants: { OPP: 1 }, buffers: { x, y } });
  // @ts-expect-error: a constant of another type
  device.run({ ...good, constants: { OP: true }, buffers: { x, y } });
  // @ts-expect-error: a buffer too few
  device.run({ ...good, buffers: { x } });
  // @ts-expect-error: a buffer that the entry point does not use
  device.run({ ...good, buffers: { x, y, dy: y } });
  // @ts-expect-error: no such parameter
  device.run({ ...good, params: { n: 1, alpha: 1, bata: 1 }, buffers: { x, y } });
}

test.run();

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KernelError } from '../../engine/errors.ts';
import { packParams } from '../../engine/kernels.ts';
import { parseKernel, specialise } from '../../engine/wgsl.ts';

const source = parseKernel(
  'sample',
  `struct Params {
  n: u32, // a comment: not: a field
  scale: f32,
}
const ROWS: u32 = 8u;
const EXACT: bool = false;
const STEP: f32 = 1.0;
alias Weight = f32;
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> x: array<Weight>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;`,
);

test('parameters and bindings are read off the file', () => {
  assert.equal(source.params, [
    { name: 'n', type: 'u32' },
    { name: 'scale', type: 'f32' },
  ]);
  assert.equal(Object.fromEntries(source.bindings), {
    x: { binding: 3, access: 'read' },
    y: { binding: 5, access: 'read_write' },
  });
});

test('constants and aliases are replaced, in the type they are declared with', () => {
  const code = specialise(source, { ROWS: 4, EXACT: true, STEP: 2, Weight: 'f16' });
  for (const line of [
    'const ROWS: u32 = 4u;',
    'const EXACT: bool = true;',
    'const STEP: f32 = 2.0;',
    'alias Weight = f16;',
  ]) {
    assert.ok(code.includes(line), line);
  }
  assert.ok(code.startsWith('enable f16;'));
  assert.not(specialise(source, { Weight: 'f32' }).includes('enable f16'));
});

test('a constant that the file lacks, and parameters too many or too few, are refused', () => {
  const refused = (run: () => unknown, text: RegExp) =>
    assert.throws(run, (error: Error) => error instanceof KernelError && text.test(error.message));
  refused(() => specialise(source, { COLUMNS: 4 }), /sample\.wgsl declares no constant or alias COLUMNS/);
  refused(() => packParams(source, { n: 1 }), /takes parameters \(n,scale\), given \(n\)/);
  refused(() => packParams(source, { n: 1, size: 2 }), /parameter scale is missing/);
  refused(() => parseKernel('bad', 'struct Params { v: vec3f, }'), /Params\.v is vec3f/);
});

test('parameters are packed as the struct has them, padded to 16 bytes', () => {
  const view = new DataView(packParams(source, { scale: 0.5, n: 7 })!);
  assert.is(view.byteLength, 16);
  assert.is(view.getUint32(0, true), 7);
  assert.is(view.getFloat32(4, true), 0.5);
});

test.run();

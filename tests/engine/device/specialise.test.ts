// Constants and aliases set in a kernel's text, and parameters packed.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { packParams } from '../../../engine/device/pipelines.ts';
import { specialise } from '../../../engine/device/specialise.ts';
import { KernelError } from '../../../engine/errors.ts';

const fields = [
  ['n', 'u32'],
  ['scale', 'f32'],
] as const;
const code = `const ROWS: u32 = 8u;
const EXACT: bool = false;
const STEP: f32 = 1.0;
alias Weight = f32;
@group(0) @binding(3) var<storage, read> x: array<Weight>;`;

test('constants and aliases are replaced, in the type they are declared with', () => {
  const special = specialise('sample', code, { ROWS: 4, EXACT: true, STEP: 2, Weight: 'f16' });
  for (const line of [
    'const ROWS: u32 = 4u;',
    'const EXACT: bool = true;',
    'const STEP: f32 = 2.0;',
    'alias Weight = f16;',
  ]) {
    assert.ok(special.includes(line), line);
  }
  assert.ok(special.startsWith('enable f16;'));
  assert.not(specialise('sample', code, { Weight: 'f32' }).includes('enable f16'));
});

test('a constant that the file lacks, and parameters too many or too few, are refused', () => {
  const refused = (run: () => unknown, text: RegExp) =>
    assert.throws(run, (error: Error) => error instanceof KernelError && text.test(error.message));
  refused(
    () => specialise('sample', code, { COLUMNS: 4 }),
    /sample\.wgsl declares no constant or alias COLUMNS/,
  );
  refused(() => packParams('sample', fields, { n: 1 }), /takes parameters \(n,scale\), given \(n\)/);
  refused(() => packParams('sample', fields, { n: 1, size: 2 }), /parameter scale is missing/);
});

test('parameters are packed as the struct has them, padded to 16 bytes', () => {
  const view = new DataView(packParams('sample', fields, { scale: 0.5, n: 7 })!);
  assert.is(view.byteLength, 16);
  assert.is(view.getUint32(0, true), 7);
  assert.is(view.getFloat32(4, true), 0.5);
});

test.run();

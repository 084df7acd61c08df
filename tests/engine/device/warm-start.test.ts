// Kernels compiled ahead are found, change no result and cannot fail; what a piece of work needed is remembered for the next
// device.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WarmStart } from '../../../engine/device/warm-start.ts';
import { type Device, openDevice } from '../../../engine/device.ts';
import { DeviceLostError } from '../../../engine/errors.ts';
import { add, exp } from '../../../engine/ops/elementwise.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { softmax } from '../../../engine/ops/softmax.ts';
import { normal } from '../../support/random.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-warm-'));
process.env['DSMIP_CACHE'] = folder;
process.env['DSMIP_TUNE'] = 'off';

type Variants = Parameters<Device['compileAhead']>[0];

/** Some work that needs a few kernels, large and small ones. */
async function results(device: Device): Promise<number[]> {
  return device
    .scope(() => {
      const x = device.tensor([48, 64], normal(48 * 64, 1));
      const y = softmax(
        matmul(x, matmul(device.tensor([64, 64], normal(64 * 64, 2)), x, { transposeB: true })),
      );
      return add(sum(y, 0), exp(device.zeros([48]))).read();
    })
    .then((data) => [...data]);
}

async function withDevice<T>(body: (device: Device) => Promise<T>): Promise<T> {
  const device = await openDevice();
  try {
    return await body(device);
  } finally {
    device.destroy();
  }
}

/** The variants that the work needs, and its results. */
const { variants, expected } = await withDevice(async (device) => {
  const recorded = device.recordKernels();
  const expected = await results(device);
  return { variants: recorded(), expected };
});

/** Pipelines that were compiled while somebody waited, from now on. */
function countWaits(device: Device): () => number {
  const { gpu } = device;
  const compile = gpu.createComputePipeline;
  let count = 0;
  gpu.createComputePipeline = (descriptor) => {
    count++;
    return compile.call(gpu, descriptor);
  };
  return () => count;
}

test('what was compiled ahead is found, and gives the same bits', async () => {
  assert.ok(variants.length > 4, `${variants.length} kernels`);
  await withDevice(async (device) => {
    await device.compileAhead(JSON.parse(JSON.stringify(variants)));
    assert.is(device.counters.pipelines, variants.length);
    const waits = countWaits(device);
    assert.equal(await results(device), expected);
    assert.is(waits(), 0);
    await device.compileAhead(variants);
    assert.is(device.counters.pipelines, variants.length, 'nothing is compiled twice');
  });
});

test('work that does not wait for them compiles its own', async () => {
  await withDevice(async (device) => {
    const ahead = device.compileAhead(variants);
    const waits = countWaits(device);
    assert.equal(await results(device), expected);
    assert.ok(waits() > 0);
    await ahead;
    const { pipelines } = device.counters;
    assert.equal(await results(device), expected);
    assert.is(device.counters.pipelines, pipelines);
  });
});

test('a recording has what is asked for while it lasts, compiled or not, each once', async () => {
  await withDevice(async (device) => {
    const first = device.recordKernels();
    await results(device);
    const second = device.recordKernels();
    await results(device);
    const keys = (list: Variants) => list.map((variant) => JSON.stringify(variant)).sort();
    assert.equal(keys(first()), keys(variants));
    assert.equal(keys(second()), keys(variants));
    assert.equal(device.recordKernels()(), []);
  });
});

test('what cannot be compiled is left out, without an error', async () => {
  const [known] = variants;
  const stale: unknown[] = [
    { ...known, kernel: 'no-such-kernel' },
    { ...known, kernel: 'constructor' },
    { ...known, entry: 'no_such_entry' },
    { ...known, constants: { NO_SUCH: 1 } },
    { ...known, constants: null },
    { ...known, variables: ['no_such_variable'] },
    { ...known, variables: [...known!.variables, ...known!.variables] },
    { ...known, variables: 7 },
    // A workgroup that no device has.
    ...variants
      .filter(({ constants }) => 'ROWS' in constants)
      .map((variant) => ({ ...variant, constants: { ...variant.constants, ROWS: 1_000_003 } })),
    { kernel: 'elementwise-unary' },
    null,
    'elementwise-unary',
  ];
  await withDevice(async (device) => {
    await device.compileAhead(stale as Variants);
    assert.is(device.counters.pipelines, 0);
    await device.finish();
    await device.compileAhead([...stale, known] as Variants);
    assert.is(device.counters.pipelines, 1);
    assert.equal(await results(device), expected);
  });
});

test('a device may be destroyed meanwhile and before', async () => {
  const device = await openDevice();
  const ahead = device.compileAhead(variants);
  device.destroy();
  await ahead;
  await device.compileAhead(variants);
  try {
    await device.finish();
    assert.unreachable();
  } catch (error) {
    assert.instance(error, DeviceLostError);
  }
  const other = await openDevice();
  const start = new WarmStart(other, 'work');
  other.destroy();
  await start.close();
});

test('work is remembered when it is done, and its kernels are ready the next time', async () => {
  const time = (work: string) =>
    withDevice(async (device) => {
      const start = new WarmStart(device, work);
      const waits = countWaits(device);
      assert.equal(await start.run(() => results(device)), expected);
      const count = waits();
      await start.run(async () => device.zeros([1]).read());
      await start.close();
      return count;
    });
  assert.is(await time('work'), variants.length);
  assert.is(await time('work'), 0);
  assert.is(await time('other work'), variants.length);
  assert.is(readdirSync(folder).length, 2);
});

test('it is written only when the work needed something else', async () => {
  const [file] = readdirSync(folder).filter((name) => !name.includes('other'));
  const path = join(folder, file!);
  const list = JSON.parse(readFileSync(path, 'utf8')) as { version: number; kernels: Variants };
  assert.equal([list.version, list.kernels], [1, variants]);
  const same = `${JSON.stringify(list)} `;
  const run = (work: (device: Device) => Promise<unknown>) =>
    withDevice(async (device) => {
      const start = new WarmStart(device, 'work');
      await start.run(() => work(device));
      await start.close();
      return readFileSync(path, 'utf8');
    });
  writeFileSync(path, same);
  assert.is(await run(results), same);
  // Other work of the same name takes its place.
  assert.is(await run(async (device) => device.zeros([1]).read()), '{"version":1,"kernels":[]}');
  for (const text of [
    '{"version":1,"ker',
    '{"version":9,"kernels":[]}',
    '{"version":1,"kernels":7}',
    '7',
    '',
  ]) {
    writeFileSync(path, text);
    assert.equal(JSON.parse(await run(results)), list, text);
  }
});

test('work that fails is not remembered, and is tried again', async () => {
  await withDevice(async (device) => {
    const start = new WarmStart(device, 'work that fails');
    try {
      await start.run(async () => {
        throw new Error('failed');
      });
      assert.unreachable();
    } catch (error) {
      assert.is((error as Error).message, 'failed');
    }
    await start.close();
    assert.not.ok(readdirSync(folder).some((name) => name.includes('fails')));
    await start.run(() => results(device));
    await start.close();
    assert.ok(readdirSync(folder).some((name) => name.includes('fails')));
  });
});

test('nothing is remembered where DSMIP_CACHE is empty, and what cannot be written is no error', async () => {
  const cacheHome = mkdtempSync(join(tmpdir(), 'dsmip-warm-'));
  const [own, before] = [process.env['XDG_CACHE_HOME'], readdirSync('.')];
  process.env['XDG_CACHE_HOME'] = cacheHome;
  writeFileSync(join(cacheHome, 'file'), '');
  for (const place of ['', join(cacheHome, 'file', 'below')]) {
    process.env['DSMIP_CACHE'] = place;
    await withDevice(async (device) => {
      const start = new WarmStart(device, 'work');
      assert.equal(await start.run(() => results(device)), expected);
      await start.close();
    });
    assert.not.ok(readdirSync(cacheHome).includes('dsmip'));
    assert.equal(readdirSync('.'), before);
  }
  process.env['DSMIP_CACHE'] = folder;
  if (own === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = own;
  rmSync(cacheHome, { recursive: true });
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();

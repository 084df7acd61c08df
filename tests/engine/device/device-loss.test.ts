// A device that is lost, out of memory or given a kernel that does not compile says so, by name.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { typedError } from '../../../engine/device/recorder.ts';
import { openDevice } from '../../../engine/device.ts';
import { DeviceLostError, KernelError, OutOfMemoryError } from '../../../engine/errors.ts';
import { exp } from '../../../engine/ops/elementwise.ts';
import { smallTransformer } from '../../support/block.ts';

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

test('a device destroyed in the middle of a step: waiting reads and later ops say so', async () => {
  const device = await openDevice();
  const { step } = smallTransformer(device);
  await step();
  const x = device.zeros([3]);
  const waiting = step();
  device.destroy();
  assert.instance(await rejection(waiting), DeviceLostError);
  assert.throws(
    () => exp(x),
    (error: Error) => error instanceof DeviceLostError && /destroyed/.test(error.message),
  );
  assert.instance(await rejection(x.read()), DeviceLostError);
  assert.instance(await rejection(device.finish()), DeviceLostError);
});

test('an error that WebGPU reports reaches the next read, typed, with the names of kernel and tensor', async () => {
  const device = await openDevice();
  const x = device.tensor([4], [1, 2, 3, 4], { name: 'weights of mine' });
  // Behind the engine's back: a buffer that the next kernel binds is gone.
  x.storage.buffer.destroy();
  const error = await rejection(exp(x).read());
  assert.instance(error, KernelError);
  assert.match(String(error), /weights of mine \[4\] f32/);
  assert.equal([...(await exp(device.zeros([2])).read())], [1, 1], 'the device goes on');
  device.destroy();
});

test('a kernel that does not compile is reported by its name', async () => {
  const device = await openDevice();
  const y = device.empty([4], 'f32', 'y');
  device.run({
    kernel: 'strided-copy',
    // @ts-expect-error: the type checker knows the entry points too.
    entry: 'no_such_entry',
    buffers: { x: device.dummy(), y },
    params: {
      n: 4,
      offset: 0,
      size_1: 1,
      size_2: 1,
      size_3: 4,
      stride_0: 0,
      stride_1: 0,
      stride_2: 0,
      stride_3: 1,
    },
    grid: [1, 1, 1],
  });
  const error = await rejection(y.read());
  assert.instance(error, KernelError);
  assert.match(String(error), /strided-copy\/no_such_entry/);
  device.destroy();
});

test("WebGPU's out-of-memory is ours", async () => {
  const device = await openDevice();
  const error = typedError(new GPUOutOfMemoryError('no room for [Buffer "x"]'));
  assert.instance(error, OutOfMemoryError);
  assert.match(String(error), /Buffer "x"/);
  device.destroy();
});

test.run();

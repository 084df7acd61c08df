// Scopes, views and the pool: what lives how long, and that a repeated step allocates nothing.

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { backward } from '../../../engine/autograd.ts';
import { openDevice } from '../../../engine/device.ts';
import {
  DeviceMismatchError,
  DtypeError,
  type EngineError,
  LimitError,
  OutOfMemoryError,
  ReleasedTensorError,
  ShapeError,
} from '../../../engine/errors.ts';
import { add, exp } from '../../../engine/ops/elementwise.ts';
import { matmul } from '../../../engine/ops/matmul.ts';
import { concat, reshape, slice, transpose } from '../../../engine/ops/shape.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { device } from '../../support/device.ts';

type ErrorType = new (message: string) => EngineError;
device.dummy(); // made once, before any bytes are counted
const throws = (run: () => unknown, type: ErrorType, text: RegExp) =>
  assert.throws(run, (error: Error) => error instanceof type && text.test(error.message));

test('a scope gives back everything but its result', () => {
  const before = device.counters.liveBytes;
  const kept = device.scope(() => {
    const a = device.zeros([1000]);
    return { sum: add(a, exp(a)), list: [device.zeros([10])] };
  });
  assert.is(device.counters.liveBytes - before, kept.sum.storage.capacity + kept.list[0]!.storage.capacity);
  kept.sum.release();
  kept.list[0]!.release();
  assert.is(device.counters.liveBytes, before);
});

test('a nested result passes to the enclosing scope and ends with it', () => {
  const before = device.counters.liveBytes;
  const inner: Tensor[] = [];
  device.scope(() => {
    inner.push(device.scope(() => exp(device.zeros([5]))));
    assert.not(inner[0]!.released);
  });
  assert.ok(inner[0]!.released);
  assert.is(device.counters.liveBytes, before);
});

test('a scope whose result awaits gradients keeps what backward needs, a frozen one keeps nothing', async () => {
  const layer = (x: Tensor) => device.scope(() => exp(exp(x)));
  const trained = device.parameter([1], [0], 'x');
  const gradient = device.scope(() => backward(layer(trained)).get(trained)!.item());
  assert.ok(Math.abs((await gradient) - Math.E) < 1e-5);
  const before = device.counters.liveBytes;
  const y = layer(device.dummy());
  assert.is(device.counters.liveBytes - before, y.storage.capacity);
  y.release();
});

test('a view keeps its buffer when the tensor it came from goes', async () => {
  const view = device.scope(() => reshape(exp(device.tensor([4], [0, 0, 0, 0])), [2, 2]));
  device.zeros([4]); // would take the buffer, had it been released
  assert.equal([...(await view.read())], [1, 1, 1, 1]);
  view.release();
});

test('a tensor read in a scope is read as it was then', async () => {
  const reading = device.scope(() => exp(device.zeros([3])).read());
  device.scope(() => void device.tensor([3], [7, 7, 7]));
  assert.equal([...(await reading)], [1, 1, 1]);
});

test('a scope that throws gives back what it made', () => {
  const before = device.counters.liveBytes;
  assert.throws(() => device.scope(() => matmul(device.zeros([2, 3]), device.zeros([2, 3]))));
  assert.is(device.counters.liveBytes, before);
});

test('a write comes after what was recorded before it', async () => {
  const x = device.tensor([2], [1, 2]);
  const y = exp(x);
  device.write(x, Float32Array.from([0, 0]));
  const [first, second] = await y.read();
  assert.ok(
    Math.abs(first! - Math.E) < 1e-5 && Math.abs(second! - Math.E ** 2) < 1e-5,
    `${first}, ${second}`,
  );
});

test('a tensor used after its scope is refused by name', () => {
  const escaped: Tensor[] = [];
  device.scope(() => {
    escaped.push(exp(device.zeros([3])));
  });
  throws(() => exp(escaped[0]!), ReleasedTensorError, /exp \[3\] f32 was used after the scope/);
});

test('a tensor of another device is refused', async () => {
  const other = await openDevice();
  throws(() => add(device.zeros([2]), other.zeros([2])), DeviceMismatchError, /add: b .*another device/);
  throws(() => device.write(other.zeros([2]), new Float32Array(2)), DeviceMismatchError, /write/);
  other.destroy();
});

test('empty, fractional and negative shapes are refused', () => {
  for (const shape of [[0], [3, 0], [2.5], [-1], [Number.NaN]]) {
    throws(() => device.zeros(shape), ShapeError, /positive integers/);
  }
  throws(() => device.tensor([3], [1, 2]), ShapeError, /3 elements, the data 2/);
});

test('wrong shapes and dtypes are refused by name', () => {
  const x = device.zeros([2, 3]);
  throws(() => reshape(x, [4]), ShapeError, /reshape.*\[2,3\].*\[4\]/);
  throws(() => transpose(x, [0, 0]), ShapeError, /transpose/);
  throws(() => slice(x, 1, 2, 2), ShapeError, /slice.*axis 1/);
  throws(() => concat([x, device.zeros([3, 3])], 1), ShapeError, /concat.*\[3,3\].*\[2,3\]/);
  throws(() => add(x, device.zeros([4])), ShapeError, /add: a .*\[2,3\].* and b .*\[4\].* do not broadcast/);
  throws(() => exp(device.zeros([2], 'i32')), DtypeError, /exp: x .* must be f32/);
  throws(() => device.write(x, new Int32Array(6)), DtypeError, /write/);
});

test('a buffer over the limit of the device is refused before it is made', () => {
  const { maxBufferSize } = device.gpu.limits;
  throws(
    () => device.empty([Math.floor(maxBufferSize / 4) + 1024], 'f32', 'huge'),
    LimitError,
    /huge .* needs \d+ bytes; a buffer of this device holds/,
  );
});

test('a memory budget is kept: waiting buffers are given back first, then the op is refused', async () => {
  const small = await openDevice({ memoryBudgetBytes: 1_000_000 });
  small.scope(() => void small.zeros([100_000]));
  small.scope(() => void small.zeros([200_000])); // fits once the 400 kB that wait are destroyed
  throws(
    () => small.scope(() => [small.zeros([200_000]), small.zeros([100_000])]),
    OutOfMemoryError,
    /zeros \[100000\] f32 needs .* budget of 1000000/,
  );
  assert.equal([...(await small.zeros([2]).read())], [0, 0]);
  small.destroy();
});

test('a binding over the limit is refused by kernel and operand', async () => {
  const small = await openDevice({ maxBindingBytes: 65_536 });
  const x = small.zeros([1000, 1000]);
  throws(() => transpose(x, [1, 0]), LimitError, /strided-copy\/gather binds 4000000 bytes as x/);
  small.destroy();
});

// Where a bind group is a map of the process's memory, as on lavapipe, a process has room for 65,530.
const hasMaps = process.platform === 'linux';
(hasMaps ? test : test.skip)('bind groups that nothing uses are freed', async () => {
  const maps = () => readFileSync('/proc/self/maps', 'utf8').split('\n').length;
  const own = await openDevice();
  const tensors = Array.from({ length: 160 }, (_, i) => own.tensor([2], [i, 1]));
  const before = maps();
  for (const a of tensors) {
    own.scope(() => {
      for (const b of tensors) add(a, b);
    });
    await own.finish();
  }
  assert.ok(own.counters.bindGroups >= 25_000, `${own.counters.bindGroups}`);
  assert.ok(maps() - before < 12_000, `${maps() - before} more maps`);
  own.destroy();
});

test.run();

// One declaration serves counting, finding and drawing; initialise.test.ts holds what is drawn.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EngineError } from '../../engine/errors.ts';
import { Random } from '../../engine/random.ts';
import { initialise } from '../../model/initialise.ts';
import { countParameters, declared, type ParameterSource } from '../../model/parameter-source.ts';
import { ParameterError, ParameterStore } from '../../model/parameter-store.ts';
import { device } from '../support/device.ts';

const construct = (p: ParameterSource) => ({
  layer: p.under('outer').linear('layer', 3, 2),
  norm: p.norm('norm', 2),
  projection: p.projection('projection', 2, 4, { deviation: 0.5 }),
  scale: p.parameter('scale', [], { value: 3 }),
});

test('a declaration gives names, shapes and starts without a device', () => {
  const specs = declared(construct);
  assert.equal(
    [...specs].map(([name, { shape }]) => `${name} [${shape}]`),
    [
      'outer.layer.weight [2,3]',
      'outer.layer.bias [2]',
      'norm.weight [2]',
      'norm.bias [2]',
      'projection.weight [4,2]',
      'scale []',
    ],
  );
  assert.equal(specs.get('outer.layer.bias')!.start, { bound: 3 ** -0.5 });
  assert.is(countParameters(specs), 6 + 2 + 2 + 2 + 8 + 1);
  assert.throws(() => declared((p) => p.parameter('x', [2], { value: 0 }).storage));
});

test('fresh parameters, found again by name, compute the same', async () => {
  const { module, tensors } = initialise(device, new Random(1), construct);
  assert.equal([...tensors.keys()], [...declared(construct).keys()]);
  const again = construct(new ParameterStore(tensors));
  const x = device.tensor([1, 3], [1, 2, 3]);
  const run = (of: typeof module) => of.projection(of.norm(of.layer(x))).read();
  assert.equal(await run(again), await run(module));
  assert.is(await again.scale.item(), 3);
});

test('what is missing, misshapen or declared twice is named in full', () => {
  const { tensors } = initialise(device, new Random(1), construct);
  const refused = (run: () => unknown, message: string) =>
    assert.throws(run, (e: Error) => e instanceof ParameterError && e.message === message);
  const p = new ParameterStore(tensors);
  refused(
    () => p.under('outer').linear('layer', 3, 5),
    'outer.layer.weight: expected shape [5,3], found [2,3]',
  );
  refused(() => p.under('other').norm('norm', 2), 'other.norm.weight: missing, expected shape [2]');
  refused(() => p.parameter('scale', [1], { value: 0 }), 'scale: expected shape [1], found []');
  assert.throws(
    () => declared((q) => [q.norm('norm', 2), q.norm('norm', 2)]),
    (e: Error) => e instanceof EngineError && e.message === 'norm.weight: declared twice',
  );
});

test.run();

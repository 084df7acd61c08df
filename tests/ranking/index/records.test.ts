// Records of entities: what is packed comes out again, from pieces anywhere in a file, and damage is found.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WeightsError } from '../../../files/errors.ts';
import { indexDtypes, scalesName } from '../../../ranking/index/format.ts';
import {
  type HostArray,
  packRecords,
  RecordPlaces,
  type Records,
  recordForm,
} from '../../../ranking/index/records.ts';
import type { SideLayout } from '../../../ranking/scorer.ts';
import { generator } from '../../support/random.ts';

const layout: SideLayout = {
  tokens: { columns: 3, rows: 'token', precision: 'int8' },
  rows: { columns: 5, rows: 'entity', precision: 'float16' },
  scalars: { columns: 2, rows: 'entity', precision: 'float32' },
  others: { columns: 1, rows: 'token', precision: 'float16' },
};
const lengths = { tokens: [4, 0, 1, 7], others: [0, 2, 5, 1] };
const E = 4;
const next = generator(1);
const offsets = Object.fromEntries(
  Object.entries(lengths).map(([name, own]) => [
    name,
    Int32Array.from({ length: E + 1 }, (_, e) => own.slice(0, e).reduce((sum, n) => sum + n, 0)),
  ]),
);

for (const dtype of indexDtypes) {
  const form = recordForm(layout, dtype);
  const arrays: Record<string, { data: HostArray }> = {};
  for (const { name, columns, bytes } of form.fields) {
    const rows = offsets[name.replace(scalesName(''), '')]?.at(-1) ?? E;
    const Type = bytes === 4 ? Float32Array : bytes === 2 ? Uint16Array : Int8Array;
    const data = new Type(rows * columns);
    for (let i = 0; i < data.length; i++) data[i] = Math.round(200 * next()) - 100;
    arrays[name] = { data };
  }
  const { bytes, starts } = packRecords(form, arrays, offsets, E);

  /** The records of entities `first` and on, as they are read from the middle of a file. */
  const piece = (first: number, count: number): Records => {
    const base = starts[first]!;
    const own = bytes.slice(4 * base, 4 * starts[first + count]!);
    return { bytes: own, starts: starts.subarray(first, first + count + 1), base };
  };

  test(`${dtype}: what is packed comes out again`, () => {
    const places = new RecordPlaces('a file', form, [piece(0, 1), piece(1, 3)]);
    for (const { name } of form.fields) {
      const { data } = arrays[name]!;
      const found: number[] = new Array(data.length);
      places.each(name, (numbers, at) => found.splice(at, numbers.length, ...numbers));
      assert.equal(found, [...data], name);
      const own = offsets[name] ?? null;
      if (own) assert.equal(places.offsets(name), own);
      assert.is(places.rows(name), own?.at(-1) ?? offsets[name.replace(scalesName(''), '')]?.at(-1) ?? E);
    }
  });

  test(`${dtype}: entities in another order, and one twice`, () => {
    const places = new RecordPlaces('a file', form, [piece(3, 1), piece(1, 1), piece(3, 1)]);
    const found: number[][] = [];
    places.each('scalars', (numbers) => found.push([...numbers]));
    const { data } = arrays['scalars']!;
    assert.equal(found, [[...data.slice(6, 8)], [...data.slice(2, 4)], [...data.slice(6, 8)]]);
    assert.equal([...places.offsets('tokens')!], [0, 7, 7, 14]);
  });

  test(`${dtype}: a record that does not hold what it says is refused`, () => {
    const damaged = piece(0, E);
    new Uint32Array(damaged.bytes.buffer)[starts[2]! + 1]! += 3;
    assert.throws(
      () => new RecordPlaces('a file', form, [damaged]),
      (e: Error) => e instanceof WeightsError && /^a file: damaged: a record of \d+ bytes/.test(e.message),
    );
  });
}

test.run();

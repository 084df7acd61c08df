// Teacher vectors: what they are, what is kept, what a killed run and a damaged file leave.

import * as fs from 'node:fs';
import * as os from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../files/errors.ts';
import { teacherVectors } from '../../train/clip-pretraining/teacher-vectors.ts';
import { VectorFile, vectorKey } from '../../train/clip-pretraining/vector-file.ts';
import { device } from '../support/device.ts';
import { assertClose } from '../support/gradient.ts';
import { smallBert, writeSmallBert } from '../support/small-bert.ts';

const root = fs.mkdtempSync(join(os.tmpdir(), 'dsmip-teacher-'));
test.after(() => fs.rmSync(root, { recursive: true }));
const model = join(root, 'model');
await writeSmallBert(model);
const { width } = smallBert;
let cache = '';
test.before.each(() => {
  cache = fs.mkdtempSync(join(root, 'cache-'));
});

const texts = ['the bat', 'a cat flew out of the cave', 'the bat', '', 'ball game', 'night '.repeat(40)];
const maxLength = 12;

interface Made {
  rows: Float32Array;
  progress: [number, number][];
}

async function make(
  of: readonly string[],
  options: { cache?: string | null; signal?: AbortSignal } = {},
): Promise<Made> {
  const progress: Made['progress'] = [];
  const onProgress = (done: number, total: number) => progress.push([done, total]);
  const { rows } = await teacherVectors(device, of, { model, cache, maxLength, onProgress, ...options });
  return { rows, progress };
}
const fileOf = () => join(cache, fs.readdirSync(cache).find((name) => name.endsWith('.vectors'))!);

test('unit vectors in the order of the texts, equal ones for equal texts, whatever stands beside them', async () => {
  const { rows, progress } = await make(texts, { cache: null });
  for (let i = 0; i < texts.length; i++) {
    const row = rows.subarray(i * width, (i + 1) * width);
    assert.ok(Math.abs(Math.hypot(...row) - 1) < 1e-3);
    assert.equal((await make([texts[i]!], { cache: null })).rows, row.slice(), `text ${i}`);
  }
  assert.equal(rows.slice(0, width), rows.slice(2 * width, 3 * width));
  assert.equal(
    [progress[0], progress.at(-1)],
    [
      [0, 6],
      [6, 6],
    ],
  );
  assert.equal(fs.readdirSync(cache), []);
});

test('long texts are cut, [SEP] kept', async () => {
  const cut = (await make(['night '.repeat(10)])).rows;
  assert.equal((await make(['night '.repeat(40)])).rows, cut);
});

test('what is kept is not computed again, in whatever order it is asked for', async () => {
  const first = await make(texts);
  const again = await make([...texts].reverse());
  assert.equal(again.progress, [[6, 6]]);
  for (let i = 0; i < texts.length; i++) {
    const at = texts.length - 1 - i;
    assert.equal(
      again.rows.slice(at * width, (at + 1) * width),
      first.rows.slice(i * width, (i + 1) * width),
    );
  }
  const more = await make([...texts, 'small bird']);
  assert.equal(more.progress, [
    [6, 7],
    [7, 7],
  ]);
  assert.equal(fs.readdirSync(cache).length, 1);
});

test('a run that is stopped keeps what it has, and leaves nothing on the device', async () => {
  const controller = new AbortController();
  const before = device.counters.liveBytes;
  const stopped = await teacherVectors(device, texts, {
    model,
    cache,
    maxLength,
    signal: controller.signal,
    onProgress: (done) => done > 0 && controller.abort(new Error('enough')),
  }).catch((error: Error) => error);
  assert.is((stopped as Error).message, 'enough');
  assert.ok(device.counters.liveBytes <= before);
  const { progress, rows } = await make(texts);
  assert.ok(progress[0]![0] > 0 && progress[0]![0] < 6, `${progress[0]}`);
  assert.equal(rows, (await make(texts, { cache: null })).rows);
});

test('half a record, a wrong byte, another file of that name: what is lost is made again', async () => {
  const { rows } = await make(texts);
  const path = fileOf();
  const whole = fs.readFileSync(path);
  const record = 16 + 2 * width + 4;
  assert.is(whole.length, 16 + 5 * record);
  const wrong = Uint8Array.from(whole);
  wrong[16 + 2 * record + 20]! ^= 1;
  const damaged: [bytes: Uint8Array, kept: number][] = [
    [whole.subarray(0, whole.length - 7), 4],
    [wrong, 2],
    [whole.subarray(0, 9), 0],
    [new Uint8Array(500), 0],
    [new Uint8Array(0), 0],
  ];
  for (const [bytes, kept] of damaged) {
    fs.writeFileSync(path, bytes);
    const file = await VectorFile.open(path, width);
    assert.is(file.rows.size, kept);
    await file.close();
    assert.equal((await make(texts)).rows, rows);
    assert.is(fs.statSync(path).size, whole.length);
  }
});

test('another length of texts is another cache, and so are other weights', async () => {
  await make(texts);
  await teacherVectors(device, texts, { model, cache, maxLength: 5 });
  const other = join(root, 'other');
  await writeSmallBert(other);
  fs.writeFileSync(
    join(other, 'vocab.txt'),
    fs.readFileSync(join(other, 'vocab.txt'), 'utf8').replace('bat', 'owl'),
  );
  await teacherVectors(device, texts, { model: other, cache, maxLength });
  assert.is(fs.readdirSync(cache).length, 3);
});

test('one writer at a time, and what does not fit is one line', async () => {
  await make(texts.slice(0, 1));
  const file = await VectorFile.open(fileOf(), width);
  await file.append([vectorKey('x')], new Uint16Array(width));
  const held = await make(texts).catch((error: Error) => error);
  assert.instance(held, InputError);
  assert.match((held as Error).message, /this process is writing there already/);
  await file.close();
  const long = await teacherVectors(device, texts, { model, cache }).catch((error: Error) => error);
  assert.match((long as Error).message, /texts of 64 tokens; the model takes 3 to 20/);
  const large = join(root, 'large');
  await writeSmallBert(large);
  fs.appendFileSync(join(large, 'vocab.txt'), 'one\n'.repeat(20));
  const unfit = await teacherVectors(device, texts, { model: large, cache, maxLength }).catch(
    (error: Error) => error,
  );
  assert.match((unfit as Error).message, /a vocabulary of \d+ tokens for a model of 60 \(config\.json\)$/);
});

test('rows are those of float16', async () => {
  const { rows } = await make(texts);
  const file = await VectorFile.open(fileOf(), width);
  const { f16ToF32 } = await import('../../weights/half.ts');
  assertClose(rows.subarray(0, width), f16ToF32(file.rows.get(vectorKey('the bat'))!), 0, 'row');
  await file.close();
});

test.run();

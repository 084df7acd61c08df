// The verifier of reference cases: what it finds, compares and counts, and what it says of broken cases.

import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readCase } from '../../eval/verify/case.ts';
import type { Kind } from '../../eval/verify/kind.ts';
import { kinds } from '../../eval/verify/kinds.ts';
import { verifyFolders } from '../../eval/verify/runner.ts';
import { type TensorToWrite, writeSafetensors } from '../../weights/write-safetensors.ts';
import { device } from '../support/device.ts';

const ownCases = fileURLToPath(new URL('../cases', import.meta.url));
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'verify-'));
test.after(() => fs.rmSync(scratch, { recursive: true }));

async function verify(folders: string[], table: Readonly<Record<string, Kind>> = kinds) {
  const lines: string[] = [];
  const counts = await verifyFolders(device, table, folders, (line) => lines.push(line));
  return { ...counts, lines };
}

for (const name of fs.readdirSync(ownCases)) {
  test(`reference case ${name}: every output and gradient`, async () => {
    const folder = path.join(ownCases, name);
    const { passed, failed, lines } = await verify([folder]);
    assert.is(failed, 0, lines.filter((line) => !line.includes('  pass')).join('\n'));
    assert.is(passed, (await readCase(folder)).expected.size);
  });
}

// The rest holds the judge to its word, with a kind that gives back the case's inputs as its results.

const echo: Kind = async ({ inputs }) =>
  Object.fromEntries([...inputs].map(([name, { data }]) => [name, data]));

const f32 = (...data: number[]): TensorToWrite => ({
  dtype: 'F32',
  shape: [data.length],
  data: Float32Array.from(data),
});
const i32 = (...data: number[]): TensorToWrite => ({
  dtype: 'I32',
  shape: [data.length],
  data: Int32Array.from(data),
});

interface Made {
  /** What the kind computes. */
  computed?: Record<string, TensorToWrite>;
  expected?: Record<string, TensorToWrite>;
  description?: unknown;
}

let cases = 0;
async function makeCase({ computed = {}, expected = {}, description }: Made): Promise<string> {
  const folder = path.join(scratch, `case-${cases++}`);
  fs.mkdirSync(folder);
  const text = typeof description === 'string' ? description : JSON.stringify(description ?? echoCase);
  fs.writeFileSync(path.join(folder, 'case.json'), text);
  const inputs = Object.entries(computed).map(([name, tensor]) => [`input/${name}`, tensor] as const);
  const file = path.join(folder, 'tensors.safetensors');
  await writeSafetensors(file, { ...Object.fromEntries(inputs), ...expected });
  return folder;
}
const echoCase = { kind: 'echo', config: {}, tolerance: 1e-3 };

async function judge(made: Made) {
  const { passed, failed, lines } = await verify([await makeCase(made)], { echo });
  return { passed, failed, text: lines.join('\n') };
}

const judged: [what: string, made: Made, passed: number, failed: number, says: RegExp][] = [
  [
    'errors within the tolerance of the largest magnitude pass',
    { computed: { 'output/a': f32(1000, 0.9) }, expected: { 'output/a': f32(1000, 0) } },
    1,
    0,
    /output\/a {2}max abs 9\.00e-1 {2}max rel 9\.00e-4 {2}pass/,
  ],
  [
    'errors beyond it fail',
    { computed: { 'output/a': f32(1000, 1.1) }, expected: { 'output/a': f32(1000, 0) } },
    0,
    1,
    /max rel 1\.10e-3 {2}FAIL/,
  ],
  [
    'NaN fails wherever it stands',
    { computed: { 'output/a': f32(1, Number.NaN, 1) }, expected: { 'output/a': f32(1, 1, 1) } },
    0,
    1,
    /max rel NaN {2}FAIL/,
  ],
  [
    'NaN as the expected value fails too',
    { computed: { 'output/a': f32(1, 1) }, expected: { 'output/a': f32(Number.NaN, 1) } },
    0,
    1,
    /FAIL/,
  ],
  [
    'an infinite result fails',
    { computed: { 'output/a': f32(Number.POSITIVE_INFINITY) }, expected: { 'output/a': f32(1) } },
    0,
    1,
    /FAIL/,
  ],
  [
    'a small value beside nothing but zeros fails',
    { computed: { 'output/a': f32(1e-20) }, expected: { 'output/a': f32(0) } },
    0,
    1,
    /FAIL/,
  ],
  [
    'zeros for zeros pass',
    { computed: { 'output/a': f32(0) }, expected: { 'output/a': f32(0) } },
    1,
    0,
    /pass/,
  ],
  [
    'integers must be equal, however large',
    { computed: { 'output/a': i32(100_000, 1) }, expected: { 'output/a': i32(100_000, 2) } },
    0,
    1,
    /FAIL/,
  ],
  [
    'a missing output and a missing gradient fail, the others count',
    {
      computed: { 'output/a': f32(1), 'output/extra': f32(1) },
      expected: { 'output/a': f32(1), 'output/b': f32(1), 'grad/w': f32(1) },
    },
    1,
    2,
    /output\/b .*FAIL {2}\(not computed\)/,
  ],
  [
    'a result of another length fails',
    { computed: { 'output/a': f32(1) }, expected: { 'output/a': f32(1, 1) } },
    0,
    1,
    /1 elements, expected 2/,
  ],
  [
    'the gradient of a bias that is zero but for rounding is held against that of its weight',
    {
      computed: { 'grad/k.weight': f32(2), 'grad/k.bias': f32(1e-8) },
      expected: { 'grad/k.weight': f32(2), 'grad/k.bias': f32(1e-17) },
    },
    2,
    0,
    /grad\/k\.bias .*pass {2}\(zero but for rounding/,
  ],
  [
    'where that gradient should be zero and is not, it fails',
    {
      computed: { 'grad/k.weight': f32(2), 'grad/k.bias': f32(1e-2) },
      expected: { 'grad/k.weight': f32(2), 'grad/k.bias': f32(1e-17) },
    },
    1,
    1,
    /grad\/k\.bias .*FAIL/,
  ],
  [
    'a kind named like a method of every object is unknown too',
    { description: { ...echoCase, kind: 'toString' }, expected: { 'output/a': f32(1) } },
    0,
    1,
    /unknown kind 'toString'/,
  ],
  ['a case without outputs fails', { expected: {} }, 0, 1, /no output\/ tensor/],
  ['a tensor of no section fails', { expected: { outputs: f32(1) } }, 0, 1, /'outputs' is neither/],
  ['bad JSON fails', { description: '{' }, 0, 1, /case\.json: not JSON/],
  ['null for a description fails', { description: 'null' }, 0, 1, /kind must be a string/],
  ['no tolerance fails', { description: { ...echoCase, tolerance: undefined } }, 0, 1, /tolerance must be/],
  [
    'a tolerance that is no number fails',
    { description: { ...echoCase, tolerance: '1' } },
    0,
    1,
    /tolerance must be/,
  ],
  ['no config fails', { description: { ...echoCase, config: undefined } }, 0, 1, /config must be/],
];
for (const [what, made, passed, failed, says] of judged) {
  test(what, async () => {
    const verdict = await judge(made);
    assert.equal([verdict.passed, verdict.failed], [passed, failed], verdict.text);
    assert.match(verdict.text, says);
  });
}

test('an unknown kind is named, with the known ones', async () => {
  const folder = await makeCase({
    description: { ...echoCase, kind: 'new' },
    expected: { 'output/a': f32(1) },
  });
  const { failed, lines } = await verify([folder], { echo });
  assert.is(failed, 1);
  assert.match(lines[0]!, /unknown kind 'new' \(known: echo\)/);
});

test('a missing folder, one without cases and a half case fail; the cases beside them still run', async () => {
  const good = await makeCase({ computed: { 'output/a': f32(1) }, expected: { 'output/a': f32(1) } });
  const empty = path.join(scratch, 'empty');
  const half = path.join(scratch, 'half');
  fs.mkdirSync(empty);
  fs.mkdirSync(half);
  fs.copyFileSync(path.join(good, 'case.json'), path.join(half, 'case.json'));
  const { passed, failed, lines } = await verify([path.join(scratch, 'nowhere'), empty, half, good], {
    echo,
  });
  assert.equal([passed, failed], [1, 3]);
  assert.match(lines[0]!, /nowhere: no such folder/);
  assert.match(lines[1]!, /empty: no cases in it/);
  assert.match(lines[2]!, /half.*tensors\.safetensors: no such file/);
});

test('an error in one case does not keep the next from running', async () => {
  const good = await makeCase({ computed: { 'output/a': f32(1) }, expected: { 'output/a': f32(1) } });
  const broken = await makeCase({
    description: { ...echoCase, kind: 'broken' },
    expected: { 'output/a': f32(1) },
  });
  const thrower: Kind = () => Promise.reject(new TypeError('a bug'));
  const { passed, failed, lines } = await verify([broken, good], { echo, broken: thrower });
  assert.equal([passed, failed], [1, 1]);
  assert.match(lines[0]!, /TypeError: a bug\n\s+at /);
});

test('nothing is left on the device after a case', async () => {
  const before = device.counters.liveBytes;
  await verify([path.join(ownCases, 'prompts')]);
  // Less is possible: the garbage collector may give back what earlier tests left.
  assert.ok(device.counters.liveBytes <= before, `${device.counters.liveBytes} bytes, ${before} before`);
});

function run(...folders: string[]) {
  const script = fileURLToPath(new URL('../../cli/dsmip.ts', import.meta.url));
  const runtime = 'deno' in process.versions ? ['run', '-A'] : [];
  const { status, stdout } = spawnSync(process.execPath, [...runtime, script, 'verify', ...folders], {
    encoding: 'utf8',
  });
  return { status, last: stdout.trimEnd().split('\n').at(-1) };
}

test('the command ends with the counts, and with exit code 1 on a failure', () => {
  assert.equal(run(path.join(ownCases, 'adam')), { status: 0, last: '1 passed, 0 failed' });
  const nowhere = path.join(scratch, 'nowhere');
  assert.equal(run(path.join(ownCases, 'adam'), nowhere), { status: 1, last: '1 passed, 1 failed' });
});

test.run();

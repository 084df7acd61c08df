// Stages one after another: their order, what a failure does, what is done again after it.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { durationLines, runStages, type Stage } from '../../eval/stages.ts';

const test = suite('stages');
let folder = '';
let noted: string[] = [];
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'dsmip-stages-'));
  noted = [];
});
test.after.each(() => rmSync(folder, { recursive: true }));

/** Stages a, b, c. */
const stages = (settings = 'same'): Stage[] =>
  ['a', 'b', 'c'].map((name, i, all) => ({
    name,
    settings,
    writes: [name],
    resumes: name !== 'c',
    needs: all.slice(0, i),
  }));

/** Does them, noting each; `fails`: the one that throws. */
function run(resume: boolean, fails = '', settings?: string, madeFrom = 'data') {
  return runStages(
    folder,
    stages(settings),
    { resume, atOnce: 1, madeFrom },
    {
      async run({ name }, { resume }) {
        noted.push(`${name}${resume ? ' resumed' : ''}`);
        if (name === fails) throw new Error(`${name} failed`);
        writeFileSync(join(folder, name), 'done');
      },
      onWarning: (line) => noted.push(`warning: ${line}`),
    },
  );
}

/** The message of what is thrown. */
async function failed(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => '',
    (error: Error) => error.message,
  );
}

test('all are done in their order, each is timed', async () => {
  const seconds = await run(false);
  assert.equal(noted, ['a', 'b', 'c']);
  assert.equal(Object.keys(seconds), ['a', 'b', 'c']);
  assert.is(durationLines(seconds, 5).length, 4);
});

test('a failing one stops the rest, resuming begins with it', async () => {
  assert.is(await failed(run(false, 'b')), 'b failed');
  assert.equal(noted, ['a', 'b']);
  await run(true);
  assert.equal(noted, ['a', 'b', 'b resumed', 'c']);
  await run(true);
  assert.equal(noted.length, 4, 'all were finished');
});

test('one whose product is gone is done again, and all after it, from their beginning', async () => {
  await run(false);
  rmSync(join(folder, 'a'));
  await run(true);
  assert.equal(noted.slice(3), ['a resumed', 'b', 'c']);
});

test('together, each begins when what it needs is finished; one that fails stops the others', async () => {
  const order: string[] = [];
  const [a, b, c] = stages() as [Stage, Stage, Stage];
  const both = [a, { ...b, needs: [] }, c];
  const run = (fails: string) =>
    runStages(
      folder,
      both,
      { resume: true, atOnce: 3, madeFrom: 'data' },
      {
        async run({ name }, { signal }) {
          order.push(name);
          await new Promise((resolve) => setTimeout(resolve, name === 'a' ? 400 : 5));
          if (name === fails) throw new Error(`${name} failed`);
          signal.throwIfAborted();
          order.push(`${name} done`);
          writeFileSync(join(folder, name), 'done');
        },
      },
    );
  assert.is(await failed(run('b')), 'b failed');
  assert.equal(order, ['a', 'b']);
  order.length = 0;
  await run('');
  assert.equal(order, ['a', 'b', 'b done', 'a done', 'c', 'c done']);
  order.length = 0;
  rmSync(join(folder, 'b'));
  await run('');
  assert.equal(order, ['b', 'b done', 'c', 'c done'], 'a does not need b');
});

test('no more are done at once than there is room for, each in a place of its own', async () => {
  const [a, b, c] = stages() as [Stage, Stage, Stage];
  const free = [a, { ...b, needs: [] }, { ...c, needs: [] }];
  const order: string[] = [];
  const busy = new Set<number>();
  await runStages(
    folder,
    free,
    { resume: false, atOnce: 2, madeFrom: 'data' },
    {
      async run({ name }, { place }) {
        assert.not.ok(busy.has(place), `place ${place} is taken`);
        busy.add(place);
        order.push(`${name} ${place}`);
        await new Promise((resolve) => setTimeout(resolve, name === 'a' ? 400 : 5));
        busy.delete(place);
        writeFileSync(join(folder, name), 'done');
      },
    },
  );
  assert.equal(order, ['a 0', 'b 1', 'c 1']);
});

test('with other settings or other data nothing counts as finished', async () => {
  await run(false);
  await run(true, '', 'other');
  assert.equal(noted.slice(3), ['a resumed', 'b', 'c']);
  await run(true, '', 'other', 'other data');
  assert.equal(noted.slice(6), ['a resumed', 'b', 'c']);
});

test('without resuming all are done again; until then what an earlier run left stays', async () => {
  await run(false);
  writeFileSync(join(folder, 'other'), 'not ours');
  assert.is(await failed(run(false, 'b')), 'b failed');
  assert.equal(noted.slice(3), ['a', 'b']);
  assert.ok(['a', 'b', 'c', 'other'].every((file) => existsSync(join(folder, file))));
  await run(true);
  assert.equal(noted.slice(5), ['b resumed', 'c'], 'those of the failed start are not finished');
});

test('a record that is damaged, edited or of another version is told of and counts for nothing', async () => {
  const record = join(folder, 'stages.json');
  await run(false);
  const whole = readFileSync(record, 'utf8');
  for (const text of [
    '{"version": 3, "fini',
    '{"a": {"command": "x", "seconds": 1}}',
    'null',
    '[]',
    whole.replace('"seconds": 0', '"seconds": 1'),
    whole.slice(0, -9),
  ]) {
    writeFileSync(record, text);
    noted = [];
    await run(true);
    assert.match(
      noted[0]!,
      /^warning: .*stages\.json: .+; each stage looks itself|^warning: .*stages\.json: /,
    );
    assert.is(noted[1], 'a resumed', text);
  }
  noted = [];
  await run(true);
  assert.equal(noted, []);
});

test.run();

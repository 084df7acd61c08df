// The test runner counts what does not end cleanly as failed: each property on temporary test files of its
// own.

import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const HERE = path.dirname(fileURLToPath(import.meta.url));

test('passing, failing and skipped tests are counted, over several suites', () => {
  const result = runOn({
    'a/one.test.ts': `${UVU} test('p', () => assert.is(1, 1)); test.skip('s', () => {}); test.run();
      const more = suite('more'); more('q', () => {}); more.run();`,
    'two.test.ts': `${UVU} test('wrong sum', () => assert.is(1 + 1, 3)); test('p', () => {}); test.run();`,
  });
  assert.is(result.code, 1);
  assert.is(result.last, '3 passed, 1 failed');
  assert.match(result.output, /ok +a\/one\.test\.ts {2}2 passed, 0 failed, 1 skipped/);
  assert.match(result.output, /FAIL two\.test\.ts {2}1 passed, 1 failed/);
  assert.match(result.output, /wrong sum/);
});

test('all passed is exit code 0, and a filter selects files', () => {
  const files = {
    'good.test.ts': `${UVU} test('p', () => console.log('my own line')); test.run();`,
    'bad.test.ts': `${UVU} test('p', () => { throw new Error('no'); }); test.run();`,
  };
  const result = runOn(files, ['good']);
  assert.is(result.code, 0);
  assert.is(result.last, '1 passed, 0 failed');
  assert.match(result.output, /my own line/);
  assert.is(runOn(files, ['good', 'absent']).code, 1);
});

test('a crash is a failure and named: at import, in a test, at once, with exit code 0', () => {
  const result = runOn({
    'import.test.ts': `throw new Error('at the door');`,
    'abort.test.ts': `${UVU} test('a', () => {}); test('b', () => process.abort()); test.run();`,
    'exit.test.ts': `${UVU} test('a', () => process.exit(0)); test.run();`,
    'late.test.ts': `${UVU} test('a', () => { setTimeout(() => { throw 'late'; }, 50); }); test.run();`,
    'never.test.ts': `${UVU} test('a', () => new Promise(() => {})); test.run();`,
    'not-an-error.test.ts': `${UVU} test('a', () => { throw null; }); test.run();`,
  });
  assert.is(result.code, 1);
  assert.is(result.last, '1 passed, 6 failed');
  assert.match(result.output, /FAIL import\.test\.ts/);
  assert.match(result.output, /at the door/);
  assert.match(result.output, /FAIL abort\.test\.ts[\s\S]*?in test 2/);
  for (const name of ['exit', 'late', 'never', 'not-an-error'])
    assert.match(result.output, `FAIL ${name}.test.ts`);
});

test('a hanging file is stopped at the limit and the next one still runs', () => {
  const result = runOn(
    {
      'hang.test.ts': `${UVU} test('a', () => { for (;;); }); test.run();`,
      'next.test.ts': `${UVU} test('a', () => {}); test.run();`,
    },
    ['--limit', '4'],
  );
  assert.is(result.code, 1);
  assert.is(result.last, '1 passed, 1 failed');
  assert.match(result.output, /FAIL hang\.test\.ts[\s\S]*?time limit: stopped after 4 s, in test 1/);
});

test('no tests at all is a failure: an empty file, a missing test.run(), an empty folder', () => {
  const result = runOn({ 'empty.test.ts': '', 'forgot.test.ts': `${UVU} test('a', () => {});` });
  assert.is(result.code, 1);
  assert.is(result.last, '0 passed, 2 failed');
  const nothing = runOn({});
  assert.is(nothing.code, 1);
  assert.is(nothing.last, '0 passed, 1 failed');
});

const UVU = `import { suite, test } from 'uvu'; import * as assert from 'uvu/assert';`;

/** Runs the runner in this runtime on a folder with these files; in the repository, so that they find uvu. */
function runOn(files: Record<string, string>, args: string[] = []) {
  const cache = path.join(HERE, '..', '.cache');
  fs.mkdirSync(cache, { recursive: true });
  const folder = fs.mkdtempSync(path.join(cache, 'run-test-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), text);
    }
    const runtime = 'deno' in process.versions ? ['run', '-A'] : [];
    const command = [...runtime, path.join(HERE, 'run.ts'), '--dir', folder, ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
    return { code: status, output: stdout + stderr, last: stdout.trimEnd().split('\n').pop() };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test.run();

// What a driver prints about limits that nobody uses does not reach the user, and nothing else is lost.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withoutLimitWarnings } from '../../../engine/device/limit-warnings.ts';

const program = `
import { writeSync } from 'node:fs';
import { withoutLimitWarnings } from '${new URL('../../../engine/device/limit-warnings.ts', import.meta.url)}';
import { openDevice } from '${new URL('../../../engine/device.ts', import.meta.url)}';
const warning = (kind) => 'Warning: maxDynamic' + kind +
  'BuffersPerPipelineLayout artificially reduced from 9 to 8 to fit dynamic offset allocation limit.\\n';
console.error('before');
await withoutLimitWarnings(() => {
  writeSync(2, 'first\\n' + warning('Uniform') + warning('Storage') + 'Warning: another\\n' + warning('Other'));
  console.error('last');
});
console.error('after');
const device = await openDevice();
console.error('opened');
device.destroy();
process.exit(0);
`;

/** What the program prints to standard error, which is the device that a shell's redirection makes of it. */
function stderrOf(redirection: string): string[] {
  const shell = `"$0" --input-type=module -e "$1" ${redirection}`;
  const cwd = fileURLToPath(new URL('../../..', import.meta.url));
  const { stdout, stderr, status } = spawnSync('sh', ['-c', shell, process.execPath, program], {
    encoding: 'utf8',
    cwd,
  });
  assert.is(status, 0, stderr);
  return `${stdout}${stderr}`
    .split('\n')
    .filter((line) => line !== '' && !/Experimental|node --trace/.test(line));
}

test('what is called gives what it gives, and its errors', async () => {
  assert.is(await withoutLimitWarnings(() => 7), 7);
  assert.is(await withoutLimitWarnings(async () => 8), 8);
  const failure = await withoutLimitWarnings(() => {
    throw new Error('no adapter');
  }).catch((error: Error) => error.message);
  assert.is(failure, 'no adapter');
});

if (process.platform === 'linux' && !('Deno' in globalThis)) {
  const other = /^Warning: (another|maxDynamicOther)/;
  test('a pipe gets everything but the two lines', () => {
    for (const redirection of ['2>&1 | cat', '2>&1 >/dev/null | cat']) {
      const lines = stderrOf(redirection);
      assert.equal(
        lines.map((line) => (other.test(line) ? 'other' : line)),
        ['before', 'first', 'other', 'other', 'last', 'after', 'opened'],
      );
    }
  });

  test('a socket and a closed standard input are left alone, and nothing is lost', () => {
    for (const redirection of ['', '2>&1 | cat', '<&- 2>&1 | cat']) {
      const lines = stderrOf(redirection);
      for (const line of ['before', 'first', 'Warning: another', 'last', 'after', 'opened']) {
        assert.ok(lines.includes(line), `${redirection}: ${line}`);
      }
    }
  });
}

test.run();

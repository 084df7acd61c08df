// A disk that fills up while a file is written. A limit on the size of files is refused by the system just where a full
// disk would be; a process of its own has it.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { root, runtimeFlags } from '../support/toy-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-full-'));
const file = join(folder, 'best.safetensors');
const program = join(root, 'tests/programs/write.ts');

test('a disk that fills up is one line, what was there stays, and nothing half-written does', () => {
  writeFileSync(file, 'the result of an earlier run');
  const command = [process.execPath, ...runtimeFlags, program, file];
  const limited = `trap '' XFSZ; ulimit -f 64; exec "$@"`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', limited, 'bash', ...command], {
    encoding: 'utf8',
  });
  assert.is(status, 0, stderr);
  assert.match(stdout, /^WeightsError .*best\.safetensors: cannot be written: [^\n]+\n$/);
  assert.is(readFileSync(file, 'utf8'), 'the result of an earlier run');
  assert.equal(readdirSync(folder).sort(), ['best.safetensors']);
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();

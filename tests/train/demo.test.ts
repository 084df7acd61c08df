import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const runtime = 'Deno' in globalThis ? ['run', '-A'] : [];
const demo = (...flags: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...runtime, 'train/demo.ts', ...flags], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
};

test('the demonstration trains, prints falling losses and exits by itself', () => {
  const { status, stdout, stderr } = demo('--steps', '20');
  assert.is(status, 0, stderr);
  const losses = [...stdout.matchAll(/loss (\d+\.\d+)/g)].map(([, loss]) => Number(loss));
  assert.is(losses.length, 2);
  assert.ok(losses[1]! < losses[0]!, `${losses}`);
});

test('an unknown flag and a bad value are one line each, exit code 1', () => {
  for (const flags of [['--stepz', '3'], ['--steps', 'many'], ['--steps', '0'], ['extra']]) {
    const { status, stdout, stderr } = demo(...flags);
    assert.is(status, 1, flags.join(' '));
    assert.is(stdout, '');
    assert.is(stderr.trim().split('\n').length, 1, stderr);
  }
});

test.run();

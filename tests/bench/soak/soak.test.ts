// The soak in a short form, and that it sees what it is there to see.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { differences, listing } from '../../../bench/soak/folders.ts';
import { tornFiles } from '../../../bench/soak/killed.ts';
import { limits, MemoryWatch } from '../../../bench/soak/memory.ts';
import { root, runtimeFlags } from '../../support/toy-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-soak-test-'));

function soak(...args: string[]) {
  const command = [...runtimeFlags, join(root, 'bench/soak/soak.ts'), ...args];
  return spawnSync(process.execPath, command, {
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: folder },
  });
}

test('a few links, a training and a build, both killed, leave nothing and give the same bytes', () => {
  const { status, stdout, stderr } = soak('--scale', '0.0004', '--seed', '1');
  assert.is(status, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /^soak: nothing wrong, seed 1, \d+\.\d minutes$/m);
  assert.match(stdout, /^links +\d+ +40 .* links \d+/m);
  assert.match(stdout, /^killed trainings +1 +1 /m);
  assert.match(stdout, /^index builds +1 +1 /m);
  assert.equal([...listing(folder).keys()], []);
});

test('a wrong flag is one line', () => {
  const { status, stderr } = soak('--parts', 'links,drinks');
  assert.is(status, 1);
  assert.match(stderr, /^--parts drinks: expected one of links, .*\n$/);
});

test('what climbs in the second half is seen, what climbs in the first or sways is not', async () => {
  const sway = (at: number) => Math.sin(40 * at);
  const watch = new MemoryWatch(() => held);
  let held: Record<string, number> = {};
  for (let i = 0; i <= 1000; i++) {
    const at = i / 1000;
    held = {
      'heap MB': 20 + 2.2 * limits['heap MB'] * at,
      'resident MB': 500 + 300 * Math.min(0.4, at) + sway(at),
      files: 20 + sway(at),
    };
    await watch.at(at);
  }
  const trends = watch.trends();
  assert.equal(
    trends.map(({ name, isFlat }) => [name, isFlat]),
    [
      ['heap MB', false],
      ['resident MB', true],
      ['files', true],
    ],
  );
  assert.ok(Math.abs(trends[0]!.growth - 1.1 * limits['heap MB']) < 1e-6, `${trends[0]!.growth}`);
});

test('a file that is left, missing or other is named; of a log the times do not count', () => {
  const [a, b] = [join(folder, 'a'), join(folder, 'b')];
  for (const [place, seconds] of [
    [a, 1],
    [b, 2],
  ] as const) {
    mkdirSync(place);
    writeFileSync(join(place, 'metrics.jsonl'), `{"loss":3,"seconds":${seconds}}\n`);
    writeFileSync(join(place, 'same'), 'x');
  }
  assert.equal(differences(listing(a), listing(b)), []);
  writeFileSync(join(a, 'same'), 'y');
  mkdirSync(join(a, 'new'));
  writeFileSync(join(b, 'gone'), '');
  assert.equal(differences(listing(a), listing(b)), [
    'new/ is left over',
    'same has other bytes',
    'gone is missing',
  ]);
  assert.equal(tornFiles(a, ['same', 'gone'], [listing(b)]), ['same is torn']);
  assert.equal(tornFiles(a, ['same', 'gone'], [listing(b), listing(a)]), []);
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();

// What commands print and how they end: outputs that are full or closed, --help of every command, values that are none, and
// a process that is told to end while it writes.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { expertCommand } from '../../cli/commands/train/expert.ts';
import { gateCommand } from '../../cli/commands/train/gate.ts';
import { parseConfig } from '../../cli/config-flags.ts';
import { flagNames } from '../../cli/flag-names.ts';
import { main } from '../../cli/main.ts';
import { UsageError } from '../../files/errors.ts';
import { commandOf, dsmip } from '../support/toy-run.ts';

/** What a command prints, run in this process. */
async function printed(...args: readonly string[]): Promise<string> {
  const { write } = process.stdout;
  let text = '';
  process.stdout.write = ((part: string, done?: () => void) => {
    text += part;
    done?.();
    return true;
  }) as typeof write;
  try {
    await main(args);
  } finally {
    process.stdout.write = write;
  }
  return text;
}

test('each command says by --help what it does and how it is called', async () => {
  const all = await printed('--help');
  const names = [...all.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) {2,}\S/gm)].map(([, name]) => name!);
  assert.ok(names.length >= 22, all);
  // The others are processes of their own.
  for (const name of names.filter((each) => each !== 'bench')) {
    const text = await printed(...name.split(' '), '--help');
    assert.match(text, /^Usage: dsmip [a-z]/, name);
    assert.not.match(text, /undefined|\[object/, name);
  }
  assert.is(process.exitCode ?? 0, 0);
});

test('an output that is full is a failure in one line, one that is closed ends quietly', () => {
  if (process.platform !== 'linux') return;
  const run = (stdout: number) =>
    spawnSync(process.execPath, commandOf(['link', '--help']), {
      stdio: ['ignore', stdout, 'pipe'],
      encoding: 'utf8',
    });
  const full = run(openSync('/dev/full', 'w'));
  assert.is(full.status, 1);
  assert.match(full.stderr, /^standard output: cannot be written: no space left on the disk; [^\n]*\n$/);
  const shell = `${[process.execPath, ...commandOf(['link', '--help'])].map((word) => `'${word}'`).join(' ')} | true; echo "\${PIPESTATUS[0]}"`;
  const closed = spawnSync('bash', ['-c', shell], { encoding: 'utf8' });
  assert.equal([closed.stdout, closed.stderr], ['0\n', '']);
});

test('what was typed cannot move the cursor', () => {
  const { status, stderr } = dsmip('report', '--run', '\u001b[31m\nx\u009b');
  assert.is(status, 1);
  assert.not.match(stderr.slice(0, -1), /\p{Cc}/u);
  assert.match(stderr, /\\u001b\[31m\\nx\\u009b/);
});

test('whatever a flag is given, it is a configuration or one line', async () => {
  const values = fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      '-0',
      '1e400',
      'NaN',
      '0x10',
      '١٢',
      '1e9',
      '-1',
      '[[',
      '{"__proto__":1}',
      'null',
    ),
    fc.constantFrom('constructor', '__proto__', 'toString', 'text,constructor', '\n', '\u001b[31m'),
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.double().map(String),
  );
  // What names files that are read at once has tests of its own.
  const flags = Object.values(flagNames);
  for (const command of [expertCommand, gateCommand]) {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...flags), values, async (flag, value) => {
        try {
          await parseConfig(command as typeof expertCommand, [`--${flag}=${value}`]);
        } catch (error) {
          if (!(error instanceof UsageError)) throw error;
          assert.not.match(error.message, /\p{Cc}/u);
        }
      }),
      { numRuns: 150 },
    );
  }
});

test('a process that is told to end while it writes leaves no temporary file, and ends by that signal', async () => {
  if (process.platform === 'win32') return;
  const folder = mkdtempSync(join(tmpdir(), 'dsmip-ended-'));
  const module = new URL('../../files/atomic-file.ts', import.meta.url).href;
  const body = `
    import { writeFileAtomically } from ${JSON.stringify(module)};
    await writeFileAtomically(${JSON.stringify(join(folder, 'file'))}, async (append) => {
      await append(new Uint8Array(10));
      console.log('begun');
      await new Promise((resolve) => setTimeout(resolve, 1e8));
    });`;
  const args =
    'Deno' in globalThis ? ['eval', '--ext=ts', body] : ['--input-type=module-typescript', '-e', body];
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.on('exit', (_, by) => resolve(by)));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    assert.is(readdirSync(folder).length, 1);
    child.kill(signal);
    assert.is(await ended, signal);
    assert.equal(readdirSync(folder), []);
  }
  rmSync(folder, { recursive: true });
});

test.run();

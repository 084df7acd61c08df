// RELIABILITY.md promises what the code does: its limits are the constants, the tests and files that it names are there.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as v from 'valibot';
import { serveSchema } from '../train/config/schemas.ts';
import { root } from './support/toy-run.ts';

const page = readFileSync(join(root, 'RELIABILITY.md'), 'utf8');
const limits = [...page.matchAll(/^\| (.+) \| ([^|]+) \| ([a-z/-]+\.ts): ([^|]+) \|$/gm)].map(
  ([, what, number, file, constant]) => ({ what: what!, number: number!, file: file!, constant: constant! }),
);

/** '16 MiB', '50 million', '4,096' or '0.25 MB' as a number; MB as they are where the constant counts them. */
function numberOf(text: string, file: string, constant: string): number {
  const [, digits, unit = ''] = /^([\d,.]+) ?(KiB|MiB|GiB|MB|million|bytes|)$/.exec(text) ?? [];
  if (digits === undefined) throw new Error(`${text}: no number`);
  const units: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, million: 1e6 };
  const counts = /MB|megapixels/.test(constant) || file.startsWith('bench/') ? 1 : (units[unit] ?? 1);
  return Number(digits.replaceAll(',', '')) * counts;
}

/** The number that a constant is given, in the source: exported or not. */
function constantOf(file: string, constant: string): number {
  const ofServer = /^serveSchema\.server\.(\w+)$/.exec(constant);
  if (ofServer) {
    const defaults: Readonly<Record<string, unknown>> = v.getDefaults(serveSchema.entries.server.wrapped);
    return Number(defaults[ofServer[1]!]);
  }
  const source = readFileSync(join(root, file), 'utf8');
  const [, name, field] = /^(\w+)(?:\.(\w+)|\['([^']+)'\])?$/.exec(constant) ?? [];
  if (name === undefined) throw new Error(`${constant}: no constant`);
  const key = field ?? /\['([^']+)'\]/.exec(constant)?.[1];
  const declared = new RegExp(`const ${name}\\b[^=]*= ?([^;]+);`).exec(source)?.[1];
  if (declared === undefined) throw new Error(`${file}: no constant ${name}`);
  const value =
    key === undefined ? declared : new RegExp(`(?:\\b|')${key}'?: ([^,}]+)[,}]`).exec(declared)?.[1];
  return product(value?.trim() ?? '');
}

/** `8 * 2 ** 20` as a number. */
function product(text: string): number {
  const factors = text.split(/ \* /).map((factor) => {
    const [base, exponent = '1'] = factor.replaceAll('_', '').split(' ** ');
    return Number(base) ** Number(exponent);
  });
  return factors.reduce((all, factor) => all * factor, 1);
}

test('each limit on the page is the constant in the code', () => {
  assert.ok(limits.length > 35, `${limits.length} limits`);
  // No row of a table of limits has another form, and so escapes.
  const rows = page.match(/^\| .*\.ts: .*$/gm)!;
  assert.is(rows.length, limits.length);
  for (const { what, number, file, constant } of limits) {
    assert.is(numberOf(number, file, constant), constantOf(file, constant), `${what} (${file}: ${constant})`);
  }
});

test('numbers are read as they are written', () => {
  assert.is(numberOf('64 MiB', 'a.ts', 'most'), 2 ** 26);
  assert.is(numberOf('16 million', 'a.ts', 'serveSchema.server.megapixels'), 16);
  assert.is(product('8 * 2 ** 20'), 2 ** 23);
  assert.is(product('50_000_000'), 5e7);
  assert.ok(Number.isNaN(product('mostBytes')));
});

test('every file that the page names is there, and so is every flag of the server', () => {
  const links = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path!);
  assert.ok(links.length > 40, `${links.length} links`);
  for (const path of links) assert.ok(existsSync(join(root, path)), path);
  const flags = readFileSync(join(root, 'cli/flag-names.ts'), 'utf8');
  for (const [, flag] of page.matchAll(/\(`--([a-z-]+)`\) \| [^|]+ \| train/g))
    assert.match(flags, `'${flag}'`);
});

test('README and CONTRIBUTING lead to it', () => {
  for (const name of ['README.md', 'CONTRIBUTING.md']) {
    assert.match(readFileSync(join(root, name), 'utf8'), '(RELIABILITY.md)');
  }
});

test.run();

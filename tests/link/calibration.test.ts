// The file of a calibration, and what is made of it: additions, probabilities, features.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NameMatch } from '../../data/names/name-matches.ts';
import { checkedJson } from '../../files/json/checked-json.ts';
import {
  type Calibration,
  calibrationFile,
  confidenceFeaturesOf,
  confidenceOf,
  nameAdditions,
  readCalibration,
  writeCalibration,
} from '../../link/calibration.ts';
import { refusal } from '../support/toy-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-calibration-'));
test.after(() => rmSync(folder, { recursive: true }));

const weights = { constant: 0.5, score: 1, gap: -1, exact: 2, fuzzy: 1 };
const calibration: Calibration = {
  fingerprint: 'abc',
  temperature: 2,
  names: { exact: 5, fuzzy: 4 },
  inKnowledgeBase: weights,
  fit: { mentions: 3 },
};

test('each system has its own; one of other weights is refused in a line', async () => {
  assert.is(await readCalibration(folder, 'dsmip', 'abc'), null);
  await writeCalibration(folder, 'dsmip', calibration);
  await writeCalibration(folder, 'text', { ...calibration, fingerprint: 'def', names: null });
  assert.equal(await readCalibration(folder, 'dsmip', 'abc'), calibration);
  assert.equal(
    await readCalibration(folder, 'dsmip', null),
    calibration,
    'weights at an address are not known',
  );
  assert.is((await readCalibration(folder, 'text', 'def'))!.names, null);
  assert.is(await readCalibration(folder, 'visual', 'abc'), null);
  const other = await refusal(() => readCalibration(folder, 'dsmip', 'def'));
  assert.match(other.message, /calibration\.json: dsmip: belongs to other weights .*; calibrate again$/);
});

test('damaged files are one line that names the field', async () => {
  const path = calibrationFile(folder);
  const whole = readFileSync(path, 'utf8');
  const { checksum: _, ...fields } = JSON.parse(whole);
  for (const [from, to, message] of [
    ['"version":2', '"version":1', /version: expected 2; calibrate again/],
    ['"temperature":2', '"temperature":0', /temperature: expected a positive number/],
    ['"exact":5', '"exact":"5"', /exact: expected a number/],
    ['"gap"', '"gaps"', /inKnowledgeBase/],
  ] as const) {
    writeFileSync(path, checkedJson(JSON.parse(JSON.stringify(fields).replace(from, to))));
    assert.match((await refusal(() => readCalibration(folder, 'dsmip', 'abc'))).message, message);
  }
  for (const [from, to, message] of [
    ['"temperature": 2', '"temperature": 3', /was damaged or edited \(wrong checksum\); calibrate again/],
    ['{', '[', /calibration\.json/],
  ] as const) {
    writeFileSync(path, whole.replace(from, to));
    assert.match((await refusal(() => readCalibration(folder, 'dsmip', 'abc'))).message, message);
  }
  const warnings: string[] = [];
  await writeCalibration(folder, 'dsmip', calibration, (line) => warnings.push(line));
  assert.is(warnings.length, 1);
  assert.match(warnings[0]!, /calibration\.json: .*: it is written anew, for dsmip alone/);
  assert.equal(await readCalibration(folder, 'dsmip', 'abc'), calibration, 'written anew');
});

const matches: NameMatch[] = [
  { row: 7, kind: 'fuzzy', similarity: 0.9 },
  { row: 3, kind: 'exact', similarity: 1 },
];

test('names add their weight, and where they are nearly the word less', () => {
  const { offsets, rows, values } = nameAdditions([matches, [], [matches[0]!]], calibration.names!);
  assert.equal([...offsets], [0, 2, 2, 3]);
  assert.equal([...rows], [3, 7, 7]);
  assert.equal([...values], [5, Math.fround(3.6), Math.fround(3.6)]);
});

test('probabilities and the features of being in the knowledge base', () => {
  const top = [
    { entity: 3, score: 4 },
    { entity: 9, score: 2 },
    { entity: 7, score: 0 },
  ];
  const parts = [1, Math.exp(-1), Math.exp(-2)];
  const sum = parts[0]! + parts[1]! + parts[2]!;
  const p = parts.map((part) => part / sum);
  // Without their names: -1, 2 and -3.6.
  assert.equal(confidenceFeaturesOf(top, matches, calibration), [1, -0.5, -1.5, 1, 0]);
  assert.equal(confidenceFeaturesOf(top.slice(2), matches, calibration), [1, -1.8, 10, 0, 0.9]);
  assert.equal(confidenceFeaturesOf(top, [], { ...calibration, names: null }), [1, 2, 1, 0, 0]);
  const { probabilities, inKnowledgeBase } = confidenceOf(top, matches, calibration);
  for (const [i, value] of p.entries()) assert.ok(Math.abs(probabilities[i]! - value) < 1e-12);
  const logit = 0.5 - 0.5 + 1.5 + 2;
  assert.ok(Math.abs(inKnowledgeBase - 1 / (1 + Math.exp(-logit))) < 1e-12);
});

test('one entity, or none, has a probability too', () => {
  const alone = confidenceOf([{ entity: 1, score: -3 }], [], calibration);
  assert.equal(alone.probabilities, [1]);
  assert.ok(Number.isFinite(alone.inKnowledgeBase));
  assert.ok(Number.isFinite(confidenceOf([], [], calibration).inKnowledgeBase));
});

test.run();

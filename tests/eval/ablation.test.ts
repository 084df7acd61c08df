// The ablations: the stages of each cell, what is not done again, means and spreads.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { listAblations, runAblations } from '../../eval/ablation/ablations.ts';
import { type AblationOptions, ablationRows } from '../../eval/ablation/cells.ts';
import { ablationTables, spread } from '../../eval/ablation/tables.ts';
import type { WorkStage } from '../../eval/pipeline.ts';
import { metricsVersion, type Results } from '../../eval/results.ts';
import { checkedJson } from '../../files/json/checked-json.ts';
import { readPreset } from '../../train/config/presets.ts';
import { refusal } from '../support/toy-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-ablate-'));
const preset = await readPreset('openconcepts');
const options = (more: Partial<AblationOptions> = {}): AblationOptions => ({
  preset,
  run: folder,
  rows: ablationRows,
  seeds: [1],
  split: 'dev',
  fraction: 0.1,
  training: {},
  gate: {},
  ...more,
});

/** Results in which every system has H@1 `hits`. */
function results(hits: number): Results {
  const metrics = {
    'hits@1': hits,
    'hits@3': 80,
    'hits@5': 85,
    'hits@10': 90,
    'hits@20': 95,
    mrr: 75,
    mr: 5,
  };
  const systems = { dsmip: metrics, text: metrics, visual: metrics, multimodal: metrics, mean: metrics };
  const parameters = { multimodal: 7548515 };
  return {
    split: 'dev',
    mentions: 9,
    entities: 16,
    systems,
    kinds: {},
    gate: null,
    confidence: {},
    parameters,
    seconds: {},
    device: '',
    madeFrom: { inputs: '', checkpoints: {} },
    predictions: '',
  };
}

test('every row has its stages, with its fields and no other', async () => {
  const all = await listAblations(
    options({ seeds: [4, 7], split: 'test', training: { 'training.epochs': 1 } }),
  );
  const of = (row: string) => all.find(({ name }) => name === `${row}/seed-4`)!;
  assert.equal(
    ablationRows.map((row) => of(row).stages.length),
    [5, 3, 2, 4, 2, 4],
  );
  assert.is(all.length, 12);
  const works = all.flatMap(({ stages }) => stages.map(({ work }) => work));
  const experts = works.flatMap((work) => (work.kind === 'expert' ? work.config : []));
  const trainings = works.flatMap((work) =>
    work.kind === 'expert' || work.kind === 'gate' ? work.config.training : [],
  );
  assert.ok(trainings.every(({ epochs, seed }) => epochs === 1 && [4, 7].includes(seed)));
  const evaluations = works.flatMap((work) => (work.kind === 'evaluation' ? work.config.evaluation : []));
  assert.ok(evaluations.every(({ split, mean }) => split === 'test' && mean));
  assert.is(experts.filter(({ expert }) => !expert.prompts.use).length, 2);
  assert.is(experts.filter(({ expert }) => expert.finetuneEncoder).length, 2);
  assert.is(trainings.filter(({ trainFraction }) => trainFraction === 0.1).length, 6);
  assert.equal(of('no-prompts').shared, { from: 'full/seed-4', experts: ['text'] });
  assert.equal(of('mixture').shared, { from: 'full/seed-4', experts: ['text', 'multimodal'] });
  assert.equal(of('side').shared, { from: 'full/seed-4', experts: ['text', 'multimodal'] });
  const gates = works.flatMap((work) => (work.kind === 'gate' ? work.config.gate : []));
  assert.is(gates.filter(({ form }) => form === 'mixture').length, 2);
  assert.is(gates.filter(({ by, experts }) => by === 'side' && experts.length === 4).length, 2);
  assert.is(experts.filter(({ expert }) => expert.kind === 'text-multimodal').length, 2);
});

test('a row alone trains all that it needs', async () => {
  const [cell] = await listAblations(options({ rows: ['no-prompts'] }));
  const works = cell!.stages.map(({ work }) => work);
  assert.is(works.length, 4);
  const [text, multimodal] = works as Extract<(typeof works)[number], { kind: 'expert' }>[];
  assert.equal(
    [text!, multimodal!].map(({ config }) => [config.expert.kind, config.expert.prompts.use]),
    [
      ['text', true],
      ['multimodal', false],
    ],
  );
});

test('cells are filled, stopped by what fails, gone on with, and then not filled again', async () => {
  const run = join(folder, 'cells');
  const only = options({ run, rows: ['finetune'] });
  const done: string[] = [];
  const fill = (fails: string) =>
    runAblations(only, {
      async run(cell: string, stages: readonly WorkStage[]) {
        for (const { name } of stages) {
          if (name === fails) throw new Error(`${name} failed`);
          done.push(name);
        }
        mkdirSync(cell, { recursive: true });
        writeFileSync(join(cell, 'metrics.json'), checkedJson({ version: metricsVersion, ...results(60) }));
      },
    });
  const message = await fill('evaluation').then(
    () => '',
    (error: Error) => error.message,
  );
  assert.is(message, 'evaluation failed');
  assert.not.ok(existsSync(join(run, 'ablations.json')));
  const cells = await fill('');
  assert.is(cells['finetune/seed-1']!.systems['multimodal']!['hits@1'], 60);
  assert.equal(done, ['multimodal expert', 'multimodal expert', 'evaluation']);
  await fill('multimodal expert');
  assert.is(done.length, 3);
  assert.ok((await listAblations(only))[0]!.isFinished);

  const other = await refusal(() => listAblations({ ...only, split: 'test' }));
  assert.match(other.message, /ablations\.json: belongs to ablations with split 'dev'/);
  const whole = readFileSync(join(run, 'ablations.json'), 'utf8');
  for (const [text, expected] of [
    ['{"version": 3, "cel', /not valid JSON/],
    ['{"settings": {}, "cells": {}}', /version: expected 3; .*found none/],
    ['null', /expected an object/],
    [whole.replace('"hits@1": 60', '"hits@1": 61'), /was damaged or edited \(wrong checksum\); delete it/],
    [checkedJson({ version: 3, settings: {}, cells: 3 }), /cells: expected an object/],
  ] as const) {
    writeFileSync(join(run, 'ablations.json'), text);
    assert.match((await refusal(() => listAblations(only))).message, expected);
  }
});

test('tables give mean and sample deviation over the seeds, and what low resource costs', () => {
  assert.is(spread([60, 62, 64]), '62.00 ± 2.00');
  assert.is(spread([60]), '60.00');
  const cells = {
    'full/seed-1': results(60),
    'full/seed-2': results(64),
    'low-resource/seed-1': results(30),
    'low-resource/seed-2': results(32),
  };
  const lines = ablationTables(cells, [1, 2]);
  const line = (start: string) => lines.find((text) => text.startsWith(start)) ?? '';
  assert.match(line('DSMIP'), /^DSMIP +62\.00 .* 88\.97 +95\.70 +96\.86$/);
  assert.match(line('visual expert alone'), /62\.00 ± 2\.83 .* 31\.51 +37\.57 +40\.64$/);
  assert.match(line('interactive prompts'), /7,548,515 +7\.6 M/);
  assert.match(line('dsmip'), /31\.00 ± 1\.41 .* -31\.00 \(-50\.0 %\)$/);
  assert.is(line('DSMIP without prompts'), '');
  assert.equal(ablationTables({}, [1, 2]), []);
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();

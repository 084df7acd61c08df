// Flags as views of configurations: what they set, what is wrong with them, --help, presets of one's own; the command in
// folders with spaces and letters of other alphabets.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { baselineCommand } from '../../cli/commands/train/baseline.ts';
import { expertCommand } from '../../cli/commands/train/expert.ts';
import { gateCommand } from '../../cli/commands/train/gate.ts';
import { argumentsFor, parseConfig } from '../../cli/config-flags.ts';
import { fieldsOf } from '../../train/config/check.ts';
import { baselineConfigOf, expertConfigOf, presetNames, readPreset } from '../../train/config/presets.ts';
import { baselineSchema, expertSchema } from '../../train/config/schemas.ts';
import { commandOf, complaint, dsmip, refusal } from '../support/toy-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'dsmip-flags-'));

test('flags set fields, the preset the others', async () => {
  const parsed = await parseConfig(expertCommand, [
    ...['--expert', 'text', '--lr', '1e-3', '--no-prompts', '--encode-chunk', '7', '--resume', '--run', 'x'],
  ]);
  const { config, plain } = parsed!;
  assert.equal(config.expert.kind, 'text');
  assert.equal([config.training.epochs, config.training.batchSize], [1, 32]);
  assert.equal([config.training.learningRate, config.training.encodeChunk], [1e-3, 7]);
  assert.is(config.expert.prompts.use, false);
  assert.equal([plain.resume, plain.profile], [true, undefined]);
  const paper = await parseConfig(gateCommand, ['--preset', 'wikimel', '--experts', 'text,visual']);
  assert.equal(paper!.config.gate.experts, ['text', 'visual']);
  assert.equal([paper!.config.gate.image, paper!.config.training.epochs], ['vgg', 20]);
  const given = argumentsFor(expertSchema, expertConfigOf(parsed!.preset, 'text'), config);
  assert.equal(given, ['--run', 'x', '--no-prompts', '--lr', '0.001', '--encode-chunk', '7']);
});

test('a baseline is trained by its recipe but for what preset and flags say; its own fields are JSON', async () => {
  const paper = await parseConfig(baselineCommand, ['--system', 'clip', '--preset', 'wikimel']);
  const { learningRate, batchSize, epochs, schedule, weightDecay, clipNorm } = paper!.config.training;
  assert.equal([learningRate, batchSize, epochs, schedule], [1e-5, 128, 20, 'constant']);
  assert.equal([weightDecay, clipNorm], [1e-4, 1]);
  const flags = [
    '--system',
    'clip',
    '--options',
    '{"cross": true}',
    '--schedule',
    'linear',
    '--warmup',
    '0.1',
  ];
  const small = await parseConfig(baselineCommand, flags);
  assert.equal(small!.config.baseline, { system: 'clip', options: { cross: true } });
  assert.equal([small!.config.training.learningRate, small!.config.training.batchSize], [1e-4, 32]);
  assert.equal([small!.config.training.schedule, small!.config.training.warmup], ['linear', 0.1]);
  const given = argumentsFor(baselineSchema, baselineConfigOf(small!.preset, 'clip'), small!.config);
  assert.equal(given, ['--options', '{"cross":true}', '--schedule', 'linear', '--warmup', '0.1']);
  // Of a preset's own fields, a flag changes those that it names.
  const jmel = await parseConfig(baselineCommand, [
    '--system',
    'jmel',
    '--options',
    '{"loss":"ce","jointWidth":8}',
  ]);
  const preset = baselineConfigOf(jmel!.preset, 'jmel').baseline.options;
  assert.equal(jmel!.config.baseline.options, { ...preset, loss: 'ce', jointWidth: 8 });
  for (const [wrong, message] of [
    [['--system', 'blip'], /^baseline\.system: expected one of clip-head, clip, .*, found blip$/],
    [['--options', 'cross'], /^baseline\.options: expected an object of fields, found cross$/],
  ] as const) {
    assert.match((await refusal(() => parseConfig(baselineCommand, wrong))).message, message);
  }
});

test('what is wrong with a flag is one line with the field', async () => {
  for (const [flags, field] of [
    [['--batch', '1'], /^training\.batchSize: expected an integer of at least 2, found 1$/],
    [['--batch', '2.5'], /^training\.batchSize: expected an integer of at least 2, found 2\.5$/],
    [['--lr', 'fast'], /^training\.learningRate: expected a number of at least 0, found fast$/],
    [['--lr', 'Infinity'], /^training\.learningRate: expected a number of at least 0, found Infinity$/],
    [
      ['--train-fraction', '2'],
      /^training\.trainFraction: expected a number more than 0, at most 1, found 2$/,
    ],
    [['--hold-out', '1'], /^training\.holdOut: expected a number of at least 0, less than 1, found 1$/],
    [
      ['--expert', 'audio'],
      /^expert\.kind: expected one of text, visual, multimodal, text-multimodal, multimodal-text, found audio$/,
    ],
    [
      ['--encode-chunk', 'few'],
      /^training\.encodeChunk: expected auto or an integer of at least 0, found few$/,
    ],
    [['--preset', 'imagenet'], /^--preset imagenet: expected one of openconcepts/],
    [['--experts', 'text'], /^unknown option '--experts'.*--expert\b/],
    [['--seed'], /^option '--seed <integer>' argument missing/],
    [['--epochs', ''], /^training\.epochs: expected an integer of at least 1, found/],
    [['surplus'], /too many arguments/],
  ] as const) {
    assert.match((await refusal(() => parseConfig(expertCommand, flags))).message, field, `${flags}`);
  }
});

test('every preset is whole, and every field has a description', async () => {
  for (const name of presetNames) {
    const preset = await readPreset(name);
    assert.ok(preset.data.folder.endsWith(name), preset.data.folder);
    assert.not.match(preset.clip.folder, /^package:/);
  }
  for (const { path, description } of fieldsOf(expertSchema)) assert.ok(description.length > 4, path);
});

test('a copy of a preset, changed, is a preset of its own; what is wrong in it is named', async () => {
  const file = join(folder, 'my.json');
  const write = (value: unknown) => writeFileSync(file, JSON.stringify(value));
  const parse = () => parseConfig(expertCommand, ['--config', file, '--seed', '5']);
  write({
    expert: { hidden: 40, training: { epochs: { multimodal: 9 }, seed: 2 } },
    run: { folder: 'mine' },
  });
  const { config, presetFlags } = (await parse())!;
  assert.equal([config.expert.hidden, config.training.epochs, config.training.seed], [40, 9, 5]);
  assert.equal([config.run.folder, config.training.batchSize], ['mine', 32]);
  assert.equal(presetFlags, ['--config', file]);
  write({ preset: 'wikidiverse' });
  assert.is((await parse())!.config.expert.hidden, 96);
  for (const [value, message] of [
    [{ expert: { hiden: 3 } }, /my\.json: expert\.hiden: there is no such field$/],
    [
      { gate: { training: { epochs: 0 } } },
      /my\.json: gate\.training\.epochs: expected an integer of at least 1/,
    ],
    [{ preset: 'mine' }, /my\.json: preset: expected one of/],
    [[], /my\.json: expected an object of sections$/],
    [{ __proto__: 1, constructor: 2 }, /my\.json: constructor: there is no such field$/],
  ] as const) {
    write(value);
    assert.match((await refusal(parse)).message, message);
  }
  writeFileSync(file, '{');
  assert.match((await refusal(parse)).message, /my\.json: expected JSON, found /);
});

test('the command: a user reads flags, not fields; --help says types, units, defaults and an example', () => {
  const wrong = dsmip('train', 'expert', '--batch', '1');
  assert.is(wrong.status, 1);
  assert.is(complaint(wrong.stderr), '--batch: expected an integer of at least 2, found 1');
  const help = dsmip('train', 'expert', '--help');
  assert.is(help.status, 0, help.stderr);
  assert.match(help.stdout, /^Training:$/m);
  assert.match(help.stdout, /--batch <integer> +mentions a batch\s+\[mentions,\s+of at least 2\]\s+\(32\)/);
  assert.match(help.stdout, /--no-prompts /);
  assert.match(help.stdout, /^Example:\n {2}dsmip train expert /m);
  for (const words of [[], ['--help'], ['help']]) {
    const { status, stdout } = dsmip(...words);
    assert.is(status, 0);
    assert.match(stdout, /train gate +stage 2/);
  }
  for (const words of [['nothing'], ['train'], ['train', 'nothing']]) {
    const { status, stderr } = dsmip(...words);
    assert.is(status, 1);
    const first = words[0] === 'train' ? 'train expert, train gate' : 'start, train expert';
    assert.match(complaint(stderr), new RegExp(`^'[^\\n]*': expected one of ${first}, [^\\n]*$`));
  }
  const { status, stdout } = dsmip('train', '--help');
  assert.is(status, 0);
  assert.match(stdout, /^ {2}train gate +stage 2/m);
  assert.not.match(stdout, /^ {2}evaluate /m);
});

test('--print-parameters counts the paper-size experts from the modules', () => {
  const total = (...flags: string[]) =>
    dsmip('train', 'expert', '--preset', 'wikimel', '--clip', 'none', '--print-parameters', ...flags).stdout;
  assert.match(total('--expert', 'multimodal'), /trainable parameters\s+7,548,515\n/);
  const finetuned = total('--expert', 'multimodal', '--finetune-encoder');
  assert.match(finetuned, /encoders\s+151,277,313\n/);
  assert.match(finetuned, /scoring\s+438,371\n/);
});

test('--print-memory estimates a paper-size step without weights or data', () => {
  const flags = ['--preset', 'wikimel', '--clip', 'none', '--batch', '4', '--print-memory'];
  const { status, stdout, stderr } = dsmip('train', 'expert', ...flags);
  assert.is(status, 0, stderr);
  assert.match(stdout, /^multimodal expert, 4 mentions of up to 77 tokens and 4 entities of up to 77\n/);
  const [whole, single] = [/the whole batch/, / {2}1 texts or images/].map((row) => {
    const line = stdout.split('\n').find((text) => row.test(text));
    return [...line!.matchAll(/([\d.]+) ([MG])B/g)].map(
      ([, size, unit]) => Number(size) / (unit === 'M' ? 1e3 : 1),
    );
  });
  // 14.2 GB of activations at batch 128, by the products' shapes: 12 layers of 12 widths a token and some.
  assert.ok(whole![0]! > 0.4 && whole![0]! < 0.5, `${whole}`);
  assert.ok(whole![1]! > single![1]! && single![1]! > 0.7, `${whole}, ${single}`);
});

test('it works from any folder, in paths with spaces and letters of other alphabets', () => {
  const away = join(folder, 'ein Ort für Läufe 地図');
  mkdirSync(away);
  const run = (...args: string[]) =>
    spawnSync(process.execPath, commandOf(args), { cwd: away, encoding: 'utf8' });
  const inspected = run('train', 'expert', '--print-parameters');
  assert.is(inspected.status, 0, inspected.stderr);
  assert.match(inspected.stdout, /trainable parameters +104,483\n/);
  cpSync(join(import.meta.dirname, '../../presets/openconcepts.json'), join(away, 'mein Preset.json'));
  const own = run('train', 'gate', '--config', 'mein Preset.json', '--run', 'Läufe');
  assert.is(own.status, 1);
  assert.match(complaint(own.stderr), /Läufe.text.best\.safetensors: no such file/);
  assert.not.ok(existsSync(join(away, 'Läufe')));
  assert.match(readFileSync(join(away, 'mein Preset.json'), 'utf8'), /package:data\/openconcepts/);
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();

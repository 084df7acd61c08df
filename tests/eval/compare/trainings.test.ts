// What a comparison tells its trainings that the preset does not.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { contenders } from '../../../eval/compare/contenders.ts';
import { trainingsOf } from '../../../eval/compare/trainings.ts';
import { type Preset, readPreset } from '../../../train/config/presets.ts';

const preset: Preset = await readPreset('openconcepts');

test('a part of the training mentions is a part of those that the preset trains a system on', () => {
  const own = { ...preset.baselines['blink-two-stage']!, trainFraction: 0.25 };
  const changed = { ...preset, baselines: { ...preset.baselines, 'blink-two-stage': own } };
  const fractionOf = (system: string, trainFraction: number) => {
    const contender = contenders.find(({ name }) => name === system)!;
    const [training] = trainingsOf(changed, contender, 1, 'run', { 'training.trainFraction': trainFraction });
    const settings = new Map<string, unknown>(JSON.parse(training!.settings));
    return settings.get('training.trainFraction');
  };
  assert.is(fractionOf('blink-two-stage', 1), 0.25);
  assert.is(fractionOf('blink-two-stage', 0.5), 0.125);
  assert.is(fractionOf('blink', 1), 1);
  assert.is(fractionOf('blink', 0.5), 0.5);
});

test.run();

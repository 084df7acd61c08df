// dsmip calibrate: how sure a run is of its answers, and how much names count in them.

import { calibrate } from '../../train/calibration/calibrate.ts';
import { calibrationConfigOf } from '../../train/config/presets.ts';
import { calibrationSchema } from '../../train/config/schemas.ts';
import { type ConfigCommand, parseConfig } from '../config-flags.ts';
import { closeWork, describeSession, openWork, profileFlag } from '../open-work.ts';
import { print } from '../output.ts';
import { showWork } from '../show-work.ts';

const calibrateCommand: ConfigCommand<typeof calibrationSchema, 'profile'> = {
  name: 'calibrate',
  summary:
    "Fits on dev what makes probabilities of a trained system's scores, how much names count in them, and how probable " +
    'it is that the right entity is in the knowledge base; writes RUN/calibration.json.',
  schema: calibrationSchema,
  base: (preset) => calibrationConfigOf(preset),
  plain: { profile: profileFlag },
  examples: ['dsmip calibrate --run runs/default', 'dsmip calibrate --run runs/default --system text'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(calibrateCommand, args);
  if (!parsed) return;
  const profile = parsed.plain.profile === true;
  const session = await openWork(parsed.config, { profile });
  describeSession(session);
  const { file, system, calibration } = await calibrate(parsed.config, session, showWork());
  const { names, fit } = calibration;
  const added = names
    ? `; a name adds ${names.exact.toFixed(2)}, one that is nearly it ${names.fuzzy.toFixed(2)}`
    : '';
  print(`${system}: temperature ${calibration.temperature.toFixed(3)}${added}`);
  print(
    `on the other half of dev each: H@1 ${fit['crossValidatedHits@1']!.toFixed(2)} (without names ` +
      `${fit['hits@1WithoutNames']!.toFixed(2)}), AUROC of being in the knowledge base ` +
      `${fit['crossValidatedAuroc']!.toFixed(3)}`,
  );
  print(`wrote ${file}`);
  await closeWork(session, profile);
}

// dsmip compare: DSMIP and the systems of the paper's Table 1, trained and ranked by the same protocol. What is finished is kept
// in RUN; the same command goes on after an interruption.

import { compareSystems } from '../../eval/compare/compare.ts';
import { compareSchema } from '../../eval/compare/compare-schema.ts';
import { compareTables } from '../../eval/compare/table.ts';
import { type ConfigCommand, parseConfig } from '../config-flags.ts';
import { ExitError } from '../errors.ts';
import { closeWork, describeSession, openWork, profileFlag } from '../open-work.ts';
import { print, printError } from '../output.ts';
import { StoppedError, showWork } from '../show-work.ts';

const compareCommand: ConfigCommand<typeof compareSchema, 'profile'> = {
  name: 'compare',
  summary:
    'Trains systems with the same seeds on the same data, ranks a split by each and says how they differ: RUN/compare.json and ' +
    'RUN/compare.html. What was finished before, with the same settings, is not done again.',
  schema: compareSchema,
  base: ({ data, clip, bert, albef, cache }) => ({
    data,
    clip,
    bert,
    albef,
    cache,
    run: { folder: 'runs/compare' },
  }),
  plain: { profile: profileFlag },
  examples: [
    'dsmip compare --seeds 1 --split dev',
    'dsmip compare --systems clip,dsmip --train-fraction 0.1 --run runs/low-resource',
  ],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(compareCommand, args);
  if (!parsed) return;
  const { config, preset, plain } = parsed;
  const profile = plain.profile === true;
  const session = await openWork(config, { profile });
  describeSession(session);
  const shown = showWork();
  const compared = compareSystems(config, preset, session, {
    ...shown,
    onContender({ title }, seed, isKept) {
      const name = seed === null ? title : `${title}, seed ${seed}`;
      shown.line(isKept ? `${name}: finished before` : `\n== ${name}`);
    },
  });
  const { comparison, json, page } = await compared.catch((error: unknown) => {
    if (!(error instanceof StoppedError)) throw error;
    printError('stopped; the same command goes on from there');
    throw new ExitError(130);
  });
  print(`\n${compareTables(comparison).join('\n')}\n\nwrote ${json}; open ${page}`);
  await closeWork(session, profile);
}

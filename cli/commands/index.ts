// dsmip index: what scoring needs of each entity, made once.

import { buildIndex } from '../../eval/build-index.ts';
import { workConfigOf } from '../../train/config/presets.ts';
import { indexSchema } from '../../train/config/schemas.ts';
import { type ConfigCommand, parseConfig } from '../config-flags.ts';
import { closeWork, describeSession, openWork, profileFlag } from '../open-work.ts';
import { showWork } from '../show-work.ts';

const indexCommand: ConfigCommand<typeof indexSchema, 'profile'> = {
  name: 'index',
  summary:
    'Builds the entity index of a run, or of a run and a knowledge base of your own, so that entities need not be ' +
    'encoded again.',
  schema: indexSchema,
  base: (preset) => workConfigOf(preset, 'index'),
  plain: { profile: profileFlag },
  examples: [
    'dsmip index --run runs/default --dtype float16',
    'dsmip index --run runs/default --kb kb.jsonl --images pictures --out my-kb',
  ],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(indexCommand, args);
  if (!parsed) return;
  const profile = parsed.plain.profile === true;
  const session = await openWork(parsed.config, { profile });
  describeSession(session);
  const start = performance.now();
  const { folder, head, kept } = await buildIndex(parsed.config, session, showWork());
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `wrote ${folder}: ${head.entities} entities, for ${head.scorer}, ${head.dtype}, ` +
      `${head.bytesPerEntity} bytes an entity, ${seconds} s` +
      (kept > 0 ? `; ${kept} of ${head.shards.length} shards were there already` : ''),
  );
  await closeWork(session, profile);
}

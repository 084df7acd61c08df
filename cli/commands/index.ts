// dsmip index: what scoring needs of each entity, made once.

import { type BuiltIndex, buildIndex, checkIndexConfig, indexKnowledgeBase } from '../../eval/build-index.ts';
import { openModelBase } from '../../link/model-base.ts';
import { workConfigOf } from '../../train/config/presets.ts';
import { type IndexConfig, indexSchema } from '../../train/config/schemas.ts';
import { type ConfigCommand, parseConfig } from '../config-flags.ts';
import { closeWork, describeSession, openWork, profileFlag } from '../open-work.ts';
import { print } from '../output.ts';
import { showWork } from '../show-work.ts';

const indexCommand: ConfigCommand<typeof indexSchema, 'profile'> = {
  name: 'index',
  summary:
    'Builds the entity index of a run, or of a system and a knowledge base of your own, so that entities need not be ' +
    'encoded again.',
  schema: indexSchema,
  base: (preset) => workConfigOf(preset, 'index'),
  plain: { profile: profileFlag },
  examples: [
    'dsmip index --run runs/default --dtype float16',
    'dsmip index --run runs/default --kb kb.jsonl --images pictures --out my-kb',
    'dsmip index --system clip-zero-shot --kb kb.jsonl --images pictures --out my-kb',
  ],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(indexCommand, args);
  if (!parsed) return;
  const profile = parsed.plain.profile === true;
  const { config } = parsed;
  checkIndexConfig(config);
  const start = performance.now();
  const { folder, head, kept } =
    config.knowledgeBase.source === '' ? await ofDataSet(config, profile) : await ofOwn(config, profile);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  print(
    `wrote ${folder}: ${head.entities} entities, for ${head.scorer}, ${head.dtype}, ` +
      `${head.bytesPerEntity} bytes an entity, ${seconds} s` +
      (kept > 0 ? `; ${kept} of ${head.shards.length} shards were there already` : ''),
  );
}

async function ofDataSet(config: IndexConfig, profile: boolean): Promise<BuiltIndex> {
  const session = await openWork(config, { profile });
  describeSession(session);
  const built = await buildIndex(config, session, showWork());
  await closeWork(session, profile);
  return built;
}

/** Reads no data set. */
async function ofOwn(config: IndexConfig, profile: boolean): Promise<BuiltIndex> {
  const { clip, bert, albef } = config;
  const base = await openModelBase({
    clip: clip.folder,
    encoders: { bert: bert.folder, albef: albef.folder },
    deviceOptions: { profile },
  });
  print(base.device.description);
  const built = await indexKnowledgeBase(config, base, showWork());
  await closeWork(base, profile);
  return built;
}

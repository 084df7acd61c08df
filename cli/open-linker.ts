// Opens the linker that a command's flags name, and makes the index of a run that has none yet.

import { buildIndex } from '../eval/build-index.ts';
import { UsageError } from '../files/errors.ts';
import { indexFolder } from '../link/index-folder.ts';
import { type Linker, type LinkerOptions, openLinker } from '../link/linker.ts';
import { needsRun } from '../link/linking-model.ts';
import { hasIndex, readHead } from '../ranking/index/source.ts';
import { checkConfig } from '../train/config/check.ts';
import { workConfigOf } from '../train/config/presets.ts';
import { type demoSchema, indexSchema, type linkSchema, type serveSchema } from '../train/config/schemas.ts';
import type { Parsed } from './config-flags.ts';
import { closeWork, openWork } from './open-work.ts';
import { printError } from './output.ts';
import { showWork } from './show-work.ts';

/** The arguments of a command that links. */
type LinkingArguments = Pick<
  Parsed<typeof linkSchema | typeof serveSchema | typeof demoSchema, string>,
  'config' | 'given' | 'preset'
>;

/** Throws UsageError where there is no index of a knowledge base; builds that of a run where it is missing. */
export async function prepareIndex(parsed: LinkingArguments): Promise<void> {
  const { run, link } = parsed.config;
  const { knowledgeBase } = link;
  if (knowledgeBase !== '' && !(await hasIndex(knowledgeBase))) {
    throw new UsageError(
      `--kb ${knowledgeBase}: expected the folder of an index; dsmip index --kb FILE --out FOLDER makes one`,
    );
  }
  if (knowledgeBase === '' && !(await hasIndex(indexFolder(run.folder)))) await buildRunIndex(parsed);
}

/**
 * Opens the index of the knowledge base, or of the run. What is not named by a flag is what the index was built with, and what
 * an index from a page does not say is the usual one, which is held against the index.
 */
export async function openLinkerFor(
  { config: { run, clip, bert, albef, names, link }, given }: LinkingArguments,
  options: Pick<LinkerOptions, 'device' | 'onWarning' | 'writable' | 'gatherMs'>,
): Promise<Linker> {
  const isOwn = link.knowledgeBase !== '';
  const origin = isOwn ? (await readHead(link.knowledgeBase)).origin : null;
  const lacksRun = origin?.['run'] === undefined && needsRun(link.system || (origin?.['system'] ?? null));
  const lacksClip = isOwn && origin?.['clip'] === undefined;
  return openLinker({
    ...options,
    ...(isOwn ? { index: link.knowledgeBase } : {}),
    ...(!isOwn || given.has('run.folder') || lacksRun ? { run: run.folder } : {}),
    ...(link.system === '' ? {} : { system: link.system }),
    ...(given.has('clip.folder') || lacksClip ? { clip: clip.folder } : {}),
    encoders: { bert: bert.folder, albef: albef.folder },
    ...(names.use ? {} : { names: false }),
  });
}

/** Builds the index of the run's own data set, for the system that is to answer; once, since it stays. */
async function buildRunIndex({ config, preset }: LinkingArguments): Promise<void> {
  const { data, run, clip, bert, albef, cache, link } = config;
  const session = await openWork(config);
  const index = { ...preset.index, ...(link.system === '' ? {} : { system: link.system }) };
  const indexConfig = { ...workConfigOf(preset, 'index'), index, data, run, clip, bert, albef, cache };
  const { folder, head } = await buildIndex(
    checkConfig(indexSchema, indexConfig),
    session,
    showWork('stderr'),
  );
  await closeWork(session, false);
  printError(`wrote ${folder}: the index of ${head.entities} entities, once`);
}

// dsmip demo: the page that links in a visitor's browser, as a folder of static files.

import { readDataset } from '../../../data/dataset.ts';
import { openDevice } from '../../../engine/device.ts';
import { textTable } from '../../../eval/text-table.ts';
import { resolvePath } from '../../../files/package-path.ts';
import { indexFolder } from '../../../link/index-folder.ts';
import { workConfigOf } from '../../../train/config/presets.ts';
import { demoSchema } from '../../../train/config/schemas.ts';
import { buildSite } from '../../../web/site/build-site.ts';
import { serveSite } from '../../../web/site/serve-site.ts';
import { type ConfigCommand, parseConfig } from '../../config-flags.ts';
import { openLinkerFor, prepareIndex } from '../../open-linker.ts';
import { print, printError } from '../../output.ts';

const demoCommand: ConfigCommand<typeof demoSchema, 'serve'> = {
  name: 'demo',
  summary:
    'Writes a page that links in the browser, on its own GPU: a folder of static files, for any host that serves them by ' +
    'https. It holds what a run links by, its entities with thumbnails, and twenty examples.',
  schema: demoSchema,
  base: (preset) => workConfigOf(preset, 'link'),
  plain: { serve: { flags: '--serve', help: 'then serve it at 127.0.0.1 until Ctrl-C' } },
  examples: ['dsmip demo --run runs/default --out site', 'dsmip demo --out site --serve --port 8080'],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(demoCommand, args);
  if (!parsed) return;
  const { config, given } = parsed;
  const { data, run, clip, link, out, server } = config;
  await prepareIndex(parsed);
  const dataset = await readDataset(resolvePath(data.folder));
  const device = await openDevice();
  const onWarning = (line: string) => printError(`warning: ${line}`);
  const linker = await openLinkerFor(parsed, { device, onWarning });
  const isOwn = link.knowledgeBase !== '';
  const parts = await buildSite({
    folder: out.folder,
    dataset,
    linker,
    places: {
      index: isOwn ? link.knowledgeBase : indexFolder(run.folder),
      ...(!isOwn || given.has('run.folder') ? { run: run.folder } : {}),
      ...(given.has('clip.folder') ? { clip: clip.folder } : {}),
    },
    onWarning,
  }).finally(() => linker.close());
  device.destroy();
  const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const rows = [...parts, { name: 'all that a visitor downloads', bytes: total }];
  print(
    textTable(
      rows.map(({ name, bytes }) => [name, `${(bytes / 1e6).toFixed(2)} MB`]),
      [0],
    ).join('\n'),
  );
  print(`wrote ${out.folder}`);
  if (parsed.plain.serve !== true) return;
  const { url, close } = await serveSite(out.folder, server.port);
  print(`the page is at ${url}`);
  await new Promise<void>((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  await close();
}

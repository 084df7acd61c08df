// dsmip serve: links mentions over HTTP until it is told to stop, and takes entities in that come and go.

import { configure, dispose, jsonLinesFormatter } from '@logtape/logtape';
import { openDevice } from '../../../engine/device.ts';
import { UsageError } from '../../../files/errors.ts';
import { readSmallText } from '../../../files/locate.ts';
import { packageRoot } from '../../../files/package-path.ts';
import { workConfigOf } from '../../../train/config/presets.ts';
import { type ServeConfig, serveSchema } from '../../../train/config/schemas.ts';
import type { Limits } from '../../../web/server/limits.ts';
import type { OpenedLinker } from '../../../web/server/linker-keeper.ts';
import { siteFiles } from '../../../web/server/site.ts';
import { startServer } from '../../../web/server/start-server.ts';
import { type ConfigCommand, parseConfig } from '../../config-flags.ts';
import { openLinkerFor, prepareIndex } from '../../open-linker.ts';
import { print } from '../../output.ts';

/** Shorter tokens can be guessed. */
const leastTokenLetters = 16;

const serveCommand: ConfigCommand<typeof serveSchema, never> = {
  name: 'serve',
  summary:
    'Links mentions over HTTP, and puts entities into the knowledge base and takes them out. The page /docs says how to ask. ' +
    'Logs are JSON lines on the standard error; SIGTERM or Ctrl-C stops it once all is answered.',
  schema: serveSchema,
  base: (preset) => workConfigOf(preset, 'link'),
  examples: [
    'dsmip serve --run runs/default --port 8080',
    'dsmip serve --run runs/default --site site',
    'dsmip serve --kb my-kb --candidates 100 --host 0.0.0.0 --token-file token.txt',
  ],
};

export async function run(args: readonly string[]): Promise<void> {
  const parsed = await parseConfig(serveCommand, args);
  if (!parsed) return;
  const { config } = parsed;
  const { host, port, site, tokenFile, gather } = config.server;
  const { top, candidates, threshold } = config.link;
  const token = tokenFile === '' ? null : await readToken(tokenFile);
  const page = site === '' ? null : { folder: site, files: await siteFiles(site) };
  await prepareIndex(parsed);
  await configure({
    sinks: { stderr: (record) => process.stderr.write(jsonLinesFormatter(record)) },
    loggers: [
      { category: 'dsmip', sinks: ['stderr'], lowestLevel: 'info' },
      { category: ['logtape', 'meta'], sinks: ['stderr'], lowestLevel: 'warning' },
    ],
  });
  const open = async (): Promise<OpenedLinker> => {
    const device = await openDevice();
    try {
      const linker = await openLinkerFor(parsed, { device, writable: true, gatherMs: gather });
      const close = () => linker.close().finally(() => device.destroy());
      return { linker, lost: device.gpu.lost, close };
    } catch (error) {
      device.destroy();
      throw error;
    }
  };
  const server = await startServer({
    open,
    host,
    port,
    token,
    limits: limitsOf(config),
    defaults: { top, candidates, threshold },
    site: page,
    version: await packageVersion(),
  });
  print(`dsmip is at ${server.url}`);
  await stopSignal();
  await server.stop();
  await dispose();
}

function limitsOf({ server: { bodyMB, imageMB, megapixels, queue, deadline } }: ServeConfig): Limits {
  return {
    bodyBytes: 1e6 * bodyMB,
    imageBytes: 1e6 * imageMB,
    pixels: 1e6 * megapixels,
    queue,
    deadlineMs: 1000 * deadline,
  };
}

/** Resolves at the first signal to stop; the second ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let isTold = false;
    const onSignal = () => {
      if (isTold) process.exit(130);
      isTold = true;
      resolve();
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
}

async function readToken(file: string): Promise<string> {
  const token = (await readSmallText(file, 4096)).trim();
  if (token.length >= leastTokenLetters && /^[\w.~+/=-]+$/.test(token)) return token;
  throw new UsageError(
    `--token-file ${file}: expected ${leastTokenLetters} letters or more of A-Z a-z 0-9 . _ ~ + / = -`,
  );
}

async function packageVersion(): Promise<string> {
  const text = await readSmallText(`${packageRoot()}/package.json`, 2 ** 20);
  return (JSON.parse(text) as { version: string }).version;
}

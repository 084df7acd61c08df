// Fetches the weights of a model from the Hugging Face hub:   node weights/download.ts clip-vit-base-patch32 [--help]
// A run that was stopped is gone on with by the next; what is there and whole is left alone.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WeightsError } from '../files/errors.ts';
import { downloadTo } from './download-file.ts';
import { DownloadProgress } from './download-progress.ts';
import { findOnHub, type HubOptions } from './hub.ts';
import { atRevision, type HubModel, hubModels } from './hub-models.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

const help = `usage: node weights/download.ts MODEL [flags]
MODEL, with its size:
${Object.entries(hubModels)
  .map(([name, { megabytes }]) => `  ${name.padEnd(24)} ${megabytes} MB`)
  .join('\n')}
  --to FOLDER               where it goes (the folder weights): a CLIP into a folder of its name
  --weights-revision REV    branch, commit or refs/pr/N to take model.safetensors from
  --endpoint URL            a mirror of the hub (the environment variable HF_ENDPOINT, else the hub)
  --help                    this text`;

try {
  const options = parse(process.argv.slice(2));
  if (options) await main(options);
} catch (error) {
  if (!(error instanceof WeightsError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

interface Options {
  model: HubModel;
  to: string;
  hub: HubOptions;
}

async function main({ model, to, hub }: Options): Promise<void> {
  const progress = new DownloadProgress();
  process.once('SIGINT', () => {
    progress.stop();
    console.error('stopped; run it again to go on');
    process.exit(130);
  });
  const options: HubOptions = {
    ...hub,
    onRetry(error, pauseMs) {
      progress.stop();
      console.error(`${error.message}; trying again in ${pauseMs / 1000} s`);
    },
  };
  for (const file of model.files) {
    const target = join(to, model.folder, file.as);
    const remote = await findOnHub(file, options);
    progress.begin(target, remote.size);
    const outcome = await downloadTo(target, remote, (done) => progress.show(done), options).finally(() =>
      progress.stop(),
    );
    console.log(`${target}: ${outcome === 'there' ? 'is there already' : 'downloaded, checksum right'}`);
  }
}

/** What the arguments ask for; null for --help, which is printed. Throws WeightsError. */
function parse(args: string[]): Options | null {
  const { values, positionals } = split(args);
  if (values.help) {
    console.log(help);
    return null;
  }
  const [name = ''] = positionals;
  const model = Object.hasOwn(hubModels, name) ? hubModels[name]! : null;
  if (!model || positionals.length > 1) {
    throw new WeightsError(
      `'${positionals.join(' ')}': expected one of ${Object.keys(hubModels).join(', ')} (--help says more)`,
    );
  }
  const revision = values['weights-revision'];
  const endpoint = values.endpoint ?? process.env['HF_ENDPOINT'] ?? '';
  if (endpoint !== '' && !/^https?:\/\/[^\s/]/.test(endpoint)) {
    throw new WeightsError(`--endpoint ${endpoint}: expected an http or https address`);
  }
  return {
    model: revision === undefined ? model : atRevision(model, revision),
    to: values.to ?? here,
    hub: endpoint === '' ? {} : { endpoint },
  };
}

function split(args: string[]) {
  const text = { type: 'string' } as const;
  const options = { to: text, 'weights-revision': text, endpoint: text, help: { type: 'boolean' } } as const;
  try {
    return parseArgs({ args, allowPositionals: true, options });
  } catch (error) {
    throw new WeightsError(`${(error as Error).message.split(/[.\n]/)[0]} (--help lists the flags)`);
  }
}

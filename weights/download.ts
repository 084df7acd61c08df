// Fetches the weights of a model from the Hugging Face hub:   node weights/download.ts clip-vit-base-patch32 [--help]
// A run that was stopped is gone on with by the next; what is there and whole is left alone.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { InputError, UsageError } from '../files/errors.ts';
import { type DownloadOptions, downloadModel } from './download-model.ts';
import { DownloadProgress } from './download-progress.ts';
import { hubModels } from './hub-models.ts';

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
  if (!(error instanceof InputError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

interface Options extends DownloadOptions {
  model: string;
}

async function main({ model, ...options }: Options): Promise<void> {
  const progress = new DownloadProgress();
  process.once('SIGINT', () => {
    progress.stop();
    console.error('stopped; run it again to go on');
    process.exit(130);
  });
  await downloadModel(model, {
    ...options,
    onRetry(error, pauseMs) {
      progress.stop();
      console.error(`${error.message}; trying again in ${pauseMs / 1000} s`);
    },
    onFile: (target, bytes) => progress.begin(target, bytes),
    onProgress: (done) => progress.show(done),
    onDone(target, outcome) {
      progress.stop();
      console.log(`${target}: ${outcome === 'there' ? 'is there already' : 'downloaded, checksum right'}`);
    },
  }).finally(() => progress.stop());
}

/** What the arguments ask for; null for --help, which is printed. Throws UsageError. */
function parse(args: string[]): Options | null {
  const { values, positionals } = split(args);
  if (values.help) {
    console.log(help);
    return null;
  }
  const [model = ''] = positionals;
  if (positionals.length !== 1 || !Object.hasOwn(hubModels, model)) {
    throw new UsageError(
      `'${positionals.join(' ')}': expected one of ${Object.keys(hubModels).join(', ')} (--help says more)`,
    );
  }
  const revision = values['weights-revision'];
  const endpoint = values.endpoint ?? process.env['HF_ENDPOINT'] ?? '';
  if (endpoint !== '' && !/^https?:\/\/[^\s/]/.test(endpoint)) {
    throw new UsageError(`--endpoint ${endpoint}: expected an http or https address`);
  }
  return {
    model,
    folder: values.to ?? here,
    ...(revision === undefined ? {} : { revision }),
    ...(endpoint === '' ? {} : { endpoint }),
  };
}

function split(args: string[]) {
  const text = { type: 'string' } as const;
  const options = { to: text, 'weights-revision': text, endpoint: text, help: { type: 'boolean' } } as const;
  try {
    return parseArgs({ args, allowPositionals: true, options });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/[.\n]/)[0]} (--help lists the flags)`);
  }
}

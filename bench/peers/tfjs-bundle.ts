// TensorFlow.js with its gradients and its WebGPU backend. Node and Deno cannot import the modules that hold the
// gradients (their imports leave out `.js`): they are meant for bundlers, so they are bundled, as in a web page.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const entry = `
  export * from '@tensorflow/tfjs-core';
  import '@tensorflow/tfjs-core/dist/register_all_gradients';
  import '@tensorflow/tfjs-backend-webgpu';
`;
const folder = new URL('.', import.meta.url);
/** Its platform code for Node asks for Node's modules by `require`, which a module does not have. */
const requires = `
  import { createRequire } from 'node:module';
  const require = createRequire('${folder.href}');
`;

/** Bundles and loads it; the WebGPU backend registers itself, so `navigator.gpu` must be there before. */
export async function loadTfjs(): Promise<typeof import('@tensorflow/tfjs-core')> {
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir: fileURLToPath(folder) },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    banner: { js: requires },
    logLevel: 'error',
  });
  const code = Buffer.from(outputFiles[0]!.contents).toString('base64');
  return import(`data:text/javascript;base64,${code}`);
}

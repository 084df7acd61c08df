// What a browser decodes images and reads indexes with: bundled for one, without a module of Node's at any top, and run where
// there is neither process nor Buffer.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PixelSource } from '../../data/images/pixel-source.ts';
import { clipPreprocessing } from '../../data/images/preprocess.ts';
import { runtimeFlags } from '../support/toy-run.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const images = join(root, 'data/openconcepts/kb_image');
const cases = join(root, 'tests/data/images/preprocess-cases/decode.json');
const folder = mkdtempSync(join(tmpdir(), 'dsmip-browser-'));
test.after(() => rmSync(folder, { recursive: true }));

test('a bundle for browsers decodes to the same pixels without anything of Node’s', async () => {
  const entry = join(folder, 'entry.ts');
  const from = (path: string) => JSON.stringify(join(root, path));
  writeFileSync(
    entry,
    `export { PixelSource } from ${from('data/images/pixel-source.ts')};
export { clipPreprocessing } from ${from('data/images/preprocess.ts')};
export { loadTokenizer } from ${from('data/text/tokenizer-files.ts')};
export { mentionText } from ${from('data/entity-mention.ts')};
export { readEntityRecords } from ${from('data/entity-records.ts')};
export { openSafetensors } from ${from('weights/safetensors.ts')};
export { parseBySchema } from ${from('files/json/schema.ts')};
`,
  );
  const { metafile } = await build({
    entryPoints: [entry],
    outfile: join(folder, 'bundle.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    external: ['node:*'],
    metafile: true,
    nodePaths: [join(root, 'node_modules')],
    logLevel: 'silent',
  });
  const outside = Object.values(metafile.outputs).flatMap(({ imports }) => imports);
  assert.equal(
    outside.filter(({ kind, external }) => external && kind !== 'dynamic-import').map(({ path }) => path),
    [],
  );

  copyFileSync(
    join(root, 'node_modules/@jsquash/webp/codec/dec/webp_dec.wasm'),
    join(folder, 'webp_dec.wasm'),
  );
  const jpeg = join(images, readdirSync(images)[0]!);
  writeFileSync(
    join(folder, 'page.mjs'),
    `import { readFileSync, writeFileSync } from 'node:fs';
const [jpeg, cases] = process.argv.slice(2);
const bytes = JSON.parse(readFileSync(cases, 'utf8')).cases
  .map(({ file }) => new Uint8Array(Buffer.from(file, 'base64')));
bytes.push(new Uint8Array(readFileSync(jpeg)));
const asked = [];
globalThis.fetch = async (url) => {
  asked.push(String(url));
  return new Response(readFileSync(new URL(url)), { headers: { 'content-type': 'application/wasm' } });
};
globalThis.ImageData ??= class { constructor(data, width, height) { Object.assign(this, { data, width, height }); } };
const print = console.log;
// Node loads its own part of fetch when it is first used, and that part needs Buffer.
await new Response(new Uint8Array(1)).arrayBuffer();
delete globalThis.process;
delete globalThis.Buffer;
const { PixelSource, clipPreprocessing } = await import('./bundle.mjs');
const source = new PixelSource([...bytes, new Blob([bytes.at(-1)])], clipPreprocessing(32));
let sums = [];
for await (const pixels of source.groups([[...bytes.keys(), bytes.length]])) {
  for (let i = 0; i <= bytes.length; i++) {
    sums.push(pixels.subarray(i * 3072, (i + 1) * 3072).reduce((sum, x, k) => sum + x * (k % 97), 0));
  }
}
print(JSON.stringify({ sums, problems: source.takeProblems('kb'), asked: asked.map((url) => url.split('/').at(-1)) }));
`,
  );
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [...runtimeFlags, join(folder, 'page.mjs'), jpeg, cases],
    { encoding: 'utf8' },
  );
  assert.ok(stdout.startsWith('{'), stderr);
  const found = JSON.parse(stdout) as { sums: number[]; problems: string[]; asked: string[] };
  assert.equal(found.problems, []);
  assert.equal(found.asked, ['webp_dec.wasm']);

  const bytes = (JSON.parse(readFileSync(cases, 'utf8')) as { cases: { file: string }[] }).cases.map(
    (each) => new Uint8Array(Buffer.from(each.file, 'base64')),
  );
  const source = new PixelSource([...bytes, jpeg, jpeg], clipPreprocessing(32));
  const sums: number[] = [];
  for await (const pixels of source.groups([[...bytes.keys(), bytes.length, bytes.length + 1]])) {
    for (let i = 0; i < bytes.length + 2; i++) {
      const own = pixels.subarray(i * 3072, (i + 1) * 3072);
      sums.push(own.reduce((sum, x, k) => sum + x * (k % 97), 0));
    }
  }
  assert.equal(found.sums, sums);
});

test.run();

// The packed archive in a real browser: what a bundler makes of it runs, and learns what it learns in Node.

import * as path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bundle, runInBrowser } from './browser.ts';
import { run as encodeText } from './encode-text.ts';
import { installedProject, type Project, repository } from './installed.ts';
import { run as trainBlock } from './train-block.ts';

let project: Project;
test.before(() => {
  project = installedProject();
});
test.after(() => project.remove());

test('a bundle of the engine trains a transformer in Chromium as the sources do in Node', async () => {
  const bytes = await bundle(project, './train-block.ts');
  assert.ok(bytes < 500_000, `the bundle has ${bytes} bytes`);
  const inBrowser = (await runInBrowser(project, './train-block.ts')) as number[];
  const inNode = await trainBlock();
  assert.ok(inNode.at(-1)! < inNode[0]! * 0.9, `losses in Node: ${inNode}`);
  assertClose(inBrowser, inNode, 'loss');
});

test('a bundle of the models encodes texts in Chromium as the sources do in Node', async () => {
  await bundle(project, './encode-text.ts');
  const clip = 'weights/tiny-clip';
  const inBrowser = await runInBrowser(project, './encode-text.ts', `/node_modules/dsmip/${clip}`);
  assertClose(inBrowser as number[], await encodeText(path.join(repository, clip)), 'embeds');
});

/** Two adapters: the sums of their kernels have other orders. */
function assertClose(found: readonly number[], expected: readonly number[], what: string): void {
  assert.is(found.length, expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  for (const [i, value] of found.entries()) {
    assert.ok(
      Math.abs(value - expected[i]!) < 1e-3 * largest,
      `${what} ${i}: ${value}, in Node ${expected[i]}`,
    );
  }
}

test.run();

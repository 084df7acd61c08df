// The packed archive in a real browser: what a bundler makes of it runs, and learns what it learns in Node.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bundle, runInBrowser } from './browser.ts';
import { installedProject, type Project } from './installed.ts';
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
  assert.is(inBrowser.length, inNode.length);
  for (const [i, loss] of inBrowser.entries()) {
    // Two adapters: the sums of their kernels have other orders.
    assert.ok(
      Math.abs(loss - inNode[i]!) < 1e-3 * inNode[i]!,
      `step ${i + 1}: ${loss}, in Node ${inNode[i]}`,
    );
  }
});

test.run();

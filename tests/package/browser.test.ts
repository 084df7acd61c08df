// The packed archive in a real browser: what a bundler makes of it runs, and learns what it learns in Node.

import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { removeToy } from '../support/toy-run.ts';
import { bundle, runInBrowser, serve } from './browser.ts';
import { run as encodeText } from './encode-text.ts';
import { indexedToy } from './indexed-toy.ts';
import { installedProject, type Project, repository } from './installed.ts';
import { run as linkMention } from './link-mention.ts';
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

test('a bundle of the linker links mentions in Chromium as the sources do in Node', async () => {
  const toy = await indexedToy();
  fs.cpSync(toy.folder, path.join(project.folder, 'toy'), { recursive: true });
  removeToy(toy);
  await bundle(project, './link-mention.ts');
  const server = await serve(project.folder);
  try {
    const inNode = await linkMention(`${server.address}/toy`);
    const inBrowser = (await runInBrowser(project, './link-mention.ts', '/toy')) as typeof inNode;
    const named = (found: typeof inNode) =>
      found.map((entities) => entities.map(({ qid, name }) => [qid, name]));
    assert.equal(
      inNode.map(({ length }) => length),
      [16, 16],
    );
    assert.equal(named(inBrowser).map(sorted), named(inNode).map(sorted));
    for (const [i, entities] of inNode.entries()) {
      const scores = new Map(inBrowser[i]!.map(({ qid, score }) => [qid, score]));
      assertClose(
        entities.map(({ qid }) => scores.get(qid)!),
        entities.map(({ score }) => score),
        'score',
      );
    }
  } finally {
    await server.close();
  }
});

/** Scores that are all but the same may stand in another order. */
function sorted(found: string[][]): string[] {
  return found.map((entity) => entity.join(' ')).sort();
}

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

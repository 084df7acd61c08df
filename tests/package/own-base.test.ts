// A knowledge base of the visitor's own, of 50 invented entities with pictures: encoded in a real browser, there again after a
// reload, exported for the command, and removed. Leaves screenshots in .cache/screenshots.

import * as fs from 'node:fs';
import * as path from 'node:path';
import { unzipSync } from 'fflate';
import jpeg from 'jpeg-js';
import type { Page } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Linked } from '../../link/linker.ts';
import { runFolder } from '../support/toy-run.ts';
import {
  assertAccessible,
  assertFits,
  found,
  openPageSite,
  type PageSite,
  scoresOn,
  screenshots,
  visitPage,
} from './page-site.ts';

const names = ['Marlow', 'Tessen', 'Orrin', 'Quill', 'Brask', 'Vennor', 'Ilka', 'Harrow', 'Pellam', 'Sorrel'];
const kinds = [
  'animal with fur',
  'machine of steel',
  'river in the north',
  'ship of the navy',
  'bird of the marsh',
];
const sentence = 'the Quill is a machine made of steel';

let site: PageSite;
let files: { lines: string; bad: string; pictures: string };

test.before(async () => {
  site = await openPageSite();
  const folder = path.join(site.toy.folder, 'own');
  files = {
    lines: path.join(folder, 'my things.jsonl'),
    bad: path.join(folder, 'bad.jsonl'),
    pictures: path.join(folder, 'pictures'),
  };
  fs.mkdirSync(files.pictures, { recursive: true });
  const entities = names.flatMap((name, i) =>
    kinds.map((description, j) => {
      const number = kinds.length * i + j;
      // Birds have no pictures, but the last one names one that is missing.
      const images = j < 4 || number === 49 ? [`${number}.jpg`] : [];
      if (images[0] && number < 49) fs.writeFileSync(path.join(files.pictures, images[0]), picture(number));
      return { id: number, name, description, images };
    }),
  );
  const lines = entities.map((entity) => JSON.stringify(entity));
  fs.writeFileSync(files.lines, lines.join('\n'));
  fs.writeFileSync(files.bad, [...lines.slice(0, 3), '{"id": "x"}'].join('\n'));
});
test.after(() => site.close());

/** A picture of one colour. */
function picture(number: number): Uint8Array {
  const data = new Uint8Array(4 * 16 * 16).fill((53 * number) % 256);
  return jpeg.encode({ width: 16, height: 16, data }).data;
}

const hash = `#${new URLSearchParams({ word: 'Quill', sentence })}`;

/** Chooses the files and encodes them; gives what the page says of it. */
async function encode(page: Page, lines: string): Promise<string[]> {
  await page.locator('#own-lines').setInputFiles(lines);
  await page.locator('#own-pictures').setInputFiles(files.pictures);
  await page.getByRole('button', { name: 'Encode' }).click();
  const news = page.locator('.own [role=status] p, .own [role=alert] p');
  await news.first().waitFor({ timeout: 120_000 });
  return news.allTextContents();
}

test('entities that are invented are linked, stay, leave as an index that the command opens, and go', async () => {
  const { page, done } = await visitPage(site.browser, site.url, hash);
  const ofSite = await found(page, 'Quill');
  assert.match((await encode(page, files.bad))[0]!, /bad\.jsonl: line 4: name: expected/);

  const [ready, missing] = await encode(page, files.lines);
  assert.is(ready, 'my-things is ready.');
  assert.match(missing!, /1 image file missing, .*49\.jpg/);
  const entities = await found(page, 'Quill');
  assert.is(entities.length, 5);
  assert.not.equal(entities, ofSite);
  assert.match(page.url(), /base=my-things$/);
  const unpictured = entities.filter((text) => text.includes('no picture')).length;
  assert.is(unpictured, entities.filter((text) => text.includes('bird of the marsh')).length);
  await assertAccessible(page);
  await page.screenshot({ path: path.join(screenshots, 'own-1280.png'), fullPage: true });

  await page.reload();
  assert.equal(await found(page, 'Quill'), entities);

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export my-things' }).click();
  const zip = unzipSync(new Uint8Array(fs.readFileSync(await (await download).path())));
  for (const [name, bytes] of Object.entries(zip)) {
    const file = path.join(site.toy.folder, 'exported', name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, bytes);
  }
  const index = path.join(site.toy.folder, 'exported', 'my-things');
  const flags = ['--clip', site.toy.clip, '--run', runFolder(site.toy, 'run'), '--json'];
  const printed = site.project.dsmipCommand([
    'link',
    '--kb',
    index,
    ...flags,
    '--word',
    'Quill',
    '--sentence',
    sentence,
  ]);
  const answer = JSON.parse(printed) as { entities: Linked[] };
  const scores = await scoresOn(page);
  assert.is(answer.entities.length, scores.length);
  for (const [i, { name, attributes, score }] of answer.entities.entries()) {
    assert.ok(entities[i]!.includes(`${i + 1}. ${name}`) && entities[i]!.includes(attributes), entities[i]);
    const onPage = scores[i]!;
    assert.ok(Math.abs(onPage - score) <= 1e-4 * Math.max(1, Math.abs(score)), `${onPage} ${score}`);
  }

  await page.getByRole('button', { name: 'Remove my-things' }).click();
  assert.equal(await found(page, 'Quill'), ofSite);
  await page.locator('.bases').waitFor({ state: 'detached' });
  await page.reload();
  await page.locator('#own-lines').waitFor();
  assert.is(await page.locator('.bases').count(), 0);
  await done();
});

test('the keyboard stops it, and starts it; on a phone nothing is cut off', async () => {
  const options = { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } as const;
  const { page, done } = await visitPage(site.browser, site.url, hash, options);
  await found(page, 'Quill');
  const many = path.join(site.toy.folder, 'many.jsonl');
  const lines = Array.from({ length: 3000 }, (_, id) => JSON.stringify({ id, name: `Quill ${id}` }));
  fs.writeFileSync(many, lines.join('\n'));
  await page.locator('#own-lines').setInputFiles(many);
  await page.getByRole('button', { name: 'Encode' }).focus();
  await page.keyboard.press('Enter');
  await page.getByText(/Encoding \d+ of 3000 entities/).waitFor();
  await page.getByRole('button', { name: 'Stop' }).focus();
  await page.keyboard.press('Enter');
  await page.locator('.own [role=status]').filter({ hasText: 'Stopped.' }).waitFor();
  assert.is(await page.locator('.bases').count(), 0);

  await encode(page, files.lines);
  await found(page, 'Quill');
  await assertFits(page, 390);
  await assertAccessible(page);
  await page.screenshot({ path: path.join(screenshots, 'own-390.png'), fullPage: true });
  await page.getByRole('radio', { name: /my-things/ }).focus();
  await page.keyboard.press('ArrowUp');
  await page.waitForURL((url) => !url.hash.includes('base='));
  await done();
});

test.run();

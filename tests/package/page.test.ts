// The page in a real browser, as the installed command writes it, on the run of a toy: what a visitor does with the mouse, with
// the keyboard, on a phone, off the network and without WebGPU. Leaves screenshots in .cache/screenshots.

import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openLinker } from '../../link/linker.ts';
import { runFolder } from '../support/toy-run.ts';
import { openBrowser } from './browser.ts';
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

const sentence = 'the seal with fur ran away from a crane';

let site: PageSite;

test.before(async () => {
  site = await openPageSite();
});
test.after(() => site.close());

/** Opens the page anew; its errors and its requests to others fail the test at `done`. */
function visit(hash = '', options: BrowserContextOptions = {}, by: Browser = site.browser, url = site.url) {
  return visitPage(by, url, hash, options);
}

const asked = (word: string) => `#${new URLSearchParams({ word, sentence })}`;

test('the command says what a visitor downloads', () => {
  for (const part of [
    'CLIP',
    'trained weights',
    'entity index',
    'thumbnails',
    'all that a visitor downloads',
  ]) {
    assert.match(site.printed, new RegExp(`^${part}.* \\d+\\.\\d\\d MB$`, 'm'));
  }
});

test('a link leads to the entities that the linker finds in Node, with each expert', async () => {
  const { page, done } = await visit(asked('seal'));
  const entities = await found(page, 'seal');
  const linker = await openLinker({ run: runFolder(site.toy, 'run') });
  const [expected] = await linker.link([{ word: 'seal', sentence }], { explain: true });
  await linker.close();
  assert.is(entities.length, 5);
  for (const [i, score] of (await scoresOn(page)).entries()) {
    const inNode = expected![i]!.score;
    assert.ok(
      Math.abs(score - inNode) <= 1e-4 * Math.max(1, Math.abs(inNode)),
      `${score}, in Node ${inNode}`,
    );
  }
  for (const text of entities) assert.match(text, /text -?[\d.]+, \d.*multimodal -?[\d.]+, \d/s);
  assert.match(entities[0]!, /the gate’s choice/);
  // What the chosen expert attends to is drawn behind the words, and said of the most of them.
  const { attention } = expected![0]!.explanation!;
  const { word, sentence: words } = attention[expected![0]!.expert!]!;
  const most = words.toSorted((a, b) => b.weight - a.weight)[0]!;
  const drawn = page.locator('.attention .share');
  assert.is(await drawn.count(), words.length);
  assert.is(
    await drawn.nth(words.indexOf(most)).evaluate((one) => one.style.getPropertyValue('--share')),
    '1.00',
  );
  const said = (await page.locator('.attention p').textContent())!;
  const shareOf = (pattern: RegExp) => Number(pattern.exec(said)![1]);
  assert.ok(said.includes(`falls on “${sentence.slice(most.start, most.end)}”`), said);
  assert.ok(Math.abs(shareOf(/(\d+) %/) - 100 * most.weight) < 1.1, said);
  assert.ok(Math.abs(shareOf(/(\d+) %\.$/) - 100 * word) < 1.1, said);
  await page.getByRole('button', { name: /Words that count for 2\./ }).click();
  await page
    .locator('.attention figcaption')
    .filter({ hasText: `for 2. ${expected![1]!.name}` })
    .waitFor();
  await done();
});

test('a word is selected with the mouse in the text, or chosen from its words', async () => {
  const { page, done } = await visit(asked('seal'));
  await found(page, 'seal');
  const first = page.getByRole('textbox', { name: 'Sentence' });
  await first.fill('fur and steel');
  await first.dblclick({ position: { x: 15, y: 18 } });
  await found(page, 'fur');
  await page.getByRole('radio', { name: 'steel' }).check({ force: true });
  await found(page, 'steel');
  assert.match(page.url(), /#word=steel&sentence=fur\+and\+steel$/);
  await page.getByRole('slider').fill('9');
  await page.locator('#results ol > li').nth(8).waitFor();
  await done();
});

test('the keyboard alone is enough', async () => {
  const { page, done } = await visit(asked('seal'));
  await found(page, 'seal');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('a crane of steel');
  await page.keyboard.press('Control+Shift+ArrowLeft');
  await found(page, 'steel');
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  await found(page, 'crane');
  await page.locator('.gallery button').first().focus();
  await page.keyboard.press('Enter');
  assert.match((await page.locator('#results').textContent())!, /meant/);
  await done();
});

test('a pasted picture counts, and goes again', async () => {
  const { page, done } = await visit(asked('seal'));
  const without = await found(page, 'seal');
  const bytes = [...fs.readFileSync(path.join(site.toy.folder, 'picture.jpg'))];
  await page.evaluate((bytes) => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([new Uint8Array(bytes)], 'seal.jpg', { type: 'image/jpeg' }));
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  }, bytes);
  await page.getByRole('button', { name: 'Remove the picture' }).waitFor();
  const withPicture = await found(page, 'seal');
  assert.not.equal(withPicture, without);
  await page.getByRole('button', { name: 'Remove the picture' }).click();
  assert.equal(await found(page, 'seal'), without);
  await done();
});

for (const [name, width, colorScheme] of [
  ['desktop', 1280, 'light'],
  ['phone', 390, 'dark'],
] as const) {
  test(`on a ${name} nothing is cut off, and axe finds nothing`, async () => {
    const { page, done } = await visit(asked('crane'), { viewport: { width, height: 844 }, colorScheme });
    await found(page, 'crane');
    await assertFits(page, width);
    await assertAccessible(page);
    await page.screenshot({ path: path.join(screenshots, `page-${width}.png`), fullPage: true });
    await page.locator('.gallery button').first().click();
    await page.getByText(/Right: this|A failure: meant/).waitFor();
    await assertAccessible(page);
    await done();
  });
}

test('after the first visit no network is needed', async () => {
  const { page, context, done } = await visit(asked('seal'));
  const before = await found(page, 'seal');
  await page.evaluate(() => navigator.serviceWorker.ready);
  await context.setOffline(true);
  await page.reload();
  assert.equal(await found(page, 'seal'), before);
  await done();
});

test('without WebGPU the page says what helps, and shows stored results', async () => {
  const other = await openBrowser({ hasWebGpu: false });
  try {
    const { page, done } = await visit('', {}, other);
    await page.getByText('This browser has no WebGPU').waitFor();
    await page.getByText('Stored result.').waitFor();
    const shown = page.locator('.gallery button[aria-pressed=true]');
    const first = await shown.textContent();
    await page.locator('.gallery button').nth(1).click();
    await shown.filter({ hasNotText: first! }).waitFor();
    assert.is(await page.locator('#results ol > li').count(), 5);
    await assertAccessible(page);
    await done();
  } finally {
    await other.close();
  }
});

test('without WebGPU the server of the page links, where it is dsmip serve', async () => {
  const flags = ['--run', runFolder(site.toy, 'run'), '--site', site.folder, '--port', '0'];
  const command = path.join(site.project.dsmip, 'dist', 'cli', 'dsmip.js');
  const server = spawn(process.execPath, [command, 'serve', ...site.toy.flags, ...flags], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise((resolve) => server.on('close', resolve));
  const other = await openBrowser({ hasWebGpu: false });
  try {
    const { value } = await createInterface({ input: server.stdout })[Symbol.asyncIterator]().next();
    const [url] = /http:\S+/.exec(value)!;
    const { page, done } = await visit(asked('seal'), {}, other, `${url}/`);
    await page.getByText('sent to the server of this page').waitFor();
    const without = await found(page, 'seal');
    await page.locator('#picture').setInputFiles(path.join(site.toy.folder, 'picture.jpg'));
    await page.getByRole('button', { name: 'Remove the picture' }).waitFor();
    assert.not.equal(await found(page, 'seal'), without);
    await assertAccessible(page);
    await done();
  } finally {
    await other.close();
    server.kill('SIGTERM');
    await ended;
  }
});

test.run();

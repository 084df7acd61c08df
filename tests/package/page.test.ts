// The page in a real browser, as the installed command writes it, on the run of a toy: what a visitor does with the mouse, with
// the keyboard, on a phone, off the network and without WebGPU. Leaves screenshots in .cache/screenshots.

import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openLinker } from '../../link/linker.ts';
import { serveSite } from '../../web/site/serve-site.ts';
import { removeToy, runFolder, type Toy } from '../support/toy-run.ts';
import { openBrowser } from './browser.ts';
import { indexedToy } from './indexed-toy.ts';
import { installedProject, type Project, repository } from './installed.ts';

const screenshots = path.join(repository, '.cache', 'screenshots');
const sentence = 'the seal with fur ran away from a crane';

let project: Project;
let toy: Toy;
let printed: string;
let site: { url: string; close(): Promise<void> };
let browser: Browser;

test.before(async () => {
  project = installedProject();
  toy = await indexedToy();
  const dev = path.join(toy.data, 'toy_dev.json');
  const mentions = JSON.parse(fs.readFileSync(dev, 'utf8')) as { mentions: string; sentence: string }[];
  // The page's examples have their word in the sentence.
  const named = mentions.map((mention) => ({
    ...mention,
    sentence: `${mention.mentions}: ${mention.sentence}`,
  }));
  fs.writeFileSync(dev, JSON.stringify(named));
  const folder = path.join(project.folder, 'site');
  printed = project.dsmipCommand(['demo', ...toy.flags, '--run', runFolder(toy, 'run'), '--out', folder]);
  site = await serveSite(folder, 0);
  browser = await openBrowser();
  fs.mkdirSync(screenshots, { recursive: true });
});
test.after(async () => {
  await browser.close();
  await site.close();
  removeToy(toy);
  project.remove();
});

/** Opens the page anew; its errors and its requests to others fail the test at `done`. */
async function visit(hash = '', options: BrowserContextOptions = {}, by: Browser = browser, url = site.url) {
  const context = await by.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`${error}`));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  context.on('request', (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(url)) faults.push(request.url());
  });
  await page.goto(url + hash);
  const done = async () => {
    await context.close();
    assert.equal(faults, []);
  };
  return { page, context, done };
}

const asked = (word: string) => `#${new URLSearchParams({ word, sentence })}`;

/** Waits for what is found for a word, and gives it. */
async function found(page: Page, word: string): Promise<string[]> {
  const said = page.locator('#results [role=status]').filter({ hasText: `“${word}”` });
  await said.filter({ hasText: 'Took' }).waitFor();
  await page.locator('#results[aria-busy=false]').waitFor();
  return page.locator('#results ol > li').allTextContents();
}

async function assertAccessible(page: Page): Promise<void> {
  await page.evaluate(fs.readFileSync(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8'));
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    return (await axe.run()).violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
  });
  assert.equal(violations, []);
}

test('the command says what a visitor downloads', () => {
  for (const part of [
    'CLIP',
    'trained weights',
    'entity index',
    'thumbnails',
    'all that a visitor downloads',
  ]) {
    assert.match(printed, new RegExp(`^${part}.* \\d+\\.\\d\\d MB$`, 'm'));
  }
});

test('a link leads to the entities that the linker finds in Node, with each expert', async () => {
  const { page, done } = await visit(asked('seal'));
  const entities = await found(page, 'seal');
  const linker = await openLinker({ run: runFolder(toy, 'run') });
  const [expected] = await linker.link([{ word: 'seal', sentence }], { explain: true });
  await linker.close();
  assert.is(entities.length, 5);
  const scores = (texts: string[]) => texts.map((text) => Number(/score (-?[\d.]+)/.exec(text)![1]));
  for (const [i, score] of scores(entities).entries()) {
    assert.ok(Math.abs(score - expected![i]!.score) < 0.02, `${score}, in Node ${expected![i]!.score}`);
  }
  for (const text of entities) assert.match(text, /text -?[\d.]+, \d.*multimodal -?[\d.]+, \d/s);
  assert.match(entities[0]!, /the gate’s choice/);
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
  const bytes = [...fs.readFileSync(path.join(toy.folder, 'picture.jpg'))];
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
    const scrolls = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(scrolls <= width, `${scrolls} pixels wide`);
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
  const flags = ['--run', runFolder(toy, 'run'), '--site', path.join(project.folder, 'site'), '--port', '0'];
  const command = path.join(project.dsmip, 'dist', 'cli', 'dsmip.js');
  const server = spawn(process.execPath, [command, 'serve', ...toy.flags, ...flags], {
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
    await page.locator('#picture').setInputFiles(path.join(toy.folder, 'picture.jpg'));
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

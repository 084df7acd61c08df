// A site as the installed command writes it, of a toy's run, served on this machine, and visits of it in a real browser.

import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import * as assert from 'uvu/assert';
import { serveSite } from '../../web/site/serve-site.ts';
import { removeToy, runFolder, type Toy } from '../support/toy-run.ts';
import { openBrowser } from './browser.ts';
import { indexedToy } from './indexed-toy.ts';
import { installedProject, type Project, repository } from './installed.ts';

export interface PageSite {
  project: Project;
  toy: Toy;
  /** What the command said. */
  printed: string;
  folder: string;
  url: string;
  browser: Browser;
  close(): Promise<void>;
}

export const screenshots = path.join(repository, '.cache', 'screenshots');

export async function openPageSite(): Promise<PageSite> {
  const project = installedProject();
  const toy = await indexedToy();
  const dev = path.join(toy.data, 'toy_dev.json');
  const mentions = JSON.parse(fs.readFileSync(dev, 'utf8')) as { mentions: string; sentence: string }[];
  // The page's examples have their word in the sentence.
  const named = mentions.map((mention) => ({
    ...mention,
    sentence: `${mention.mentions}: ${mention.sentence}`,
  }));
  fs.writeFileSync(dev, JSON.stringify(named));
  const folder = path.join(project.folder, 'site');
  const printed = project.dsmipCommand([
    'demo',
    ...toy.flags,
    '--run',
    runFolder(toy, 'run'),
    '--out',
    folder,
  ]);
  const site = await serveSite(folder, 0);
  const browser = await openBrowser();
  fs.mkdirSync(screenshots, { recursive: true });
  return {
    project,
    toy,
    printed,
    folder,
    url: site.url,
    browser,
    async close() {
      await browser.close();
      await site.close();
      removeToy(toy);
      project.remove();
    },
  };
}

export interface Visit {
  page: Page;
  context: BrowserContext;
  /** Ends it; fails where the page had errors or asked others. */
  done(): Promise<void>;
}

/** Opens a page at an address. */
export async function visitPage(
  browser: Browser,
  url: string,
  hash = '',
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  // On a machine with other work SwiftShader takes its time.
  page.setDefaultTimeout(120_000);
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

/** Waits for what is found for a word, and gives it. */
export async function found(page: Page, word: string): Promise<string[]> {
  const said = page.locator('#results [role=status]').filter({ hasText: `“${word}”` });
  await said.filter({ hasText: 'Took' }).waitFor();
  await page.locator('#results[aria-busy=false]').waitFor();
  return page.locator('#results ol > li').allTextContents();
}

/** The scores of the entities that a page shows, with more digits than it shows. */
export function scoresOn(page: Page): Promise<number[]> {
  return page
    .locator('#results .entity data')
    .evaluateAll((all) => all.map((one) => Number((one as HTMLDataElement).value)));
}

export async function assertAccessible(page: Page): Promise<void> {
  await page.evaluate(fs.readFileSync(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8'));
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    return (await axe.run()).violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
  });
  assert.equal(violations, []);
}

/** Fails where a page is wider than its window. */
export async function assertFits(page: Page, width: number): Promise<void> {
  const scrolls = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(scrolls <= width, `${scrolls} pixels wide`);
}

// A real browser for tests: bundles a script as a user's bundler would, with dsmip from the installed package, and runs it in
// headless Chromium on its software adapter.

import * as fs from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { type Browser, chromium } from 'playwright-core';
import { findChromium } from '../../setup.mjs';
import type { Project } from './installed.ts';

// What WebGPU without a GPU needs, and what keeps the browser from calling home.
const chromiumFlags = [
  '--no-sandbox',
  '--disable-gpu-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Rooms that have an entry point of the package: their files are bundled from there. */
const entryPoints = ['engine', 'model', 'link'];

/**
 * Bundles a script of this folder for the browser; it must export `run`, whose result is JSON. Its imports of the repository's
 * engine, model and link become imports of the package's entry points. Returns the bundle's size in bytes.
 */
export async function bundle(project: Project, script: string): Promise<number> {
  const fromPackage: esbuild.Plugin = {
    name: 'from the package',
    setup(build) {
      build.onResolve({ filter: /^\.\.\/.*\.ts$/ }, ({ path: specifier, importer }) => {
        if (importer.startsWith(project.folder)) return undefined;
        const room = specifier.replace(/^[./]+/, '').split('/')[0]!;
        if (!entryPoints.includes(room)) return undefined;
        return build.resolve(`dsmip/${room}`, { resolveDir: project.folder, kind: 'import-statement' });
      });
    },
  };
  const { errors, warnings } = await esbuild.build({
    entryPoints: [fileURLToPath(new URL(script, import.meta.url))],
    outfile: bundleOf(project, script),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    logLevel: 'silent',
    plugins: [fromPackage],
  });
  const problems = [...errors, ...warnings].map(({ text }) => text);
  if (problems.length > 0) throw new Error(`${script} does not bundle cleanly:\n${problems.join('\n')}`);
  return fs.statSync(bundleOf(project, script)).size;
}

const bundleOf = ({ folder }: Project, script: string) =>
  path.join(folder, path.basename(script).replace(/\.ts$/, '.js'));

/**
 * Runs a bundled script in the browser, with the project's folder as the server's root: resolves to what its `run(...args)`
 * resolves to. Rejects with what the page throws; what it writes to the console comes with it.
 */
export async function runInBrowser(project: Project, script: string, ...args: unknown[]): Promise<unknown> {
  const browser = await openBrowser();
  const server = await serve(project.folder);
  const said: string[] = [];
  try {
    const page = await browser.newPage();
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(String(error)));
    await page.goto(`${server.address}/`);
    const call = `import('/${path.basename(bundleOf(project, script))}').then(({ run }) => run(...${JSON.stringify(args)}))`;
    return await page.evaluate(call);
  } catch (error) {
    throw new Error([String(error), ...said].join('\n'));
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Opens a headless browser. Playwright makes its profile anew in a temporary folder and removes it. */
export function openBrowser({ hasWebGpu = true } = {}): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('no Chromium: run `npm run setup -- --chromium`');
  const args = chromiumFlags.filter((flag) => hasWebGpu || !flag.includes('webgpu'));
  return chromium.launch({ executablePath, args });
}

const mediaTypes: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** Serves a folder on this machine only: an empty page at `/`, files whole or in ranges. */
export async function serve(folder: string): Promise<{ address: string; close(): Promise<void> }> {
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (name === '/') {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>dsmip</title>');
      return;
    }
    const file = path.join(folder, name);
    if (!file.startsWith(folder) || !fs.existsSync(file) || !fs.statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    const bytes = fs.readFileSync(file);
    const type = { 'content-type': mediaTypes[path.extname(file)] ?? 'application/octet-stream' };
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    if (first === undefined) {
      response.writeHead(200, { ...type, 'accept-ranges': 'bytes' }).end(bytes);
      return;
    }
    const end = Math.min(last ? Number(last) : bytes.length - 1, bytes.length - 1);
    const range = `bytes ${first}-${end}/${bytes.length}`;
    response.writeHead(206, { ...type, 'content-range': range }).end(bytes.subarray(Number(first), end + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

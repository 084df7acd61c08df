// Writes the page as a folder that any static host serves: scripts, what linking reads, thumbnails, and stored examples. Its
// addresses are relative, so that it may lie anywhere.

import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import type { Dataset } from '../../data/dataset.ts';
import { readImage } from '../../data/images/image-input.ts';
import { replaceFolder } from '../../files/folders/staged-folder.ts';
import { packageRoot } from '../../files/package-path.ts';
import { findIndex } from '../../link/index-folder.ts';
import type { Linker, LinkerOptions } from '../../link/linker.ts';
import type { Example, Site } from '../page/site.ts';
import { findExamples } from './examples.ts';
import { firstKernels } from './first-kernels.ts';
import { linkingFiles, type PackedFile } from './linking-files.ts';
import { makeThumbnails } from './thumbnails.ts';

export interface SiteOptions {
  /** Folder to write into; what a site has there is replaced once the new one is whole, all else stays. */
  folder: string;
  /** Whose entities, pictures and mentions are shown. */
  dataset: Dataset;
  /** An open linker, and what it was opened with. */
  linker: Linker;
  places: Pick<LinkerOptions, 'index' | 'run' | 'clip'>;
  onWarning(line: string): void;
}

/** A part of a site, and the bytes that a visitor downloads for it. */
export interface SitePart {
  name: string;
  bytes: number;
}

/** The sources are TypeScript, the package is JavaScript. */
const [code, extension] = import.meta.url.endsWith('.ts') ? ['.ts', '.tsx'] : ['.js', '.js'];
const entries = {
  page: `main${extension}`,
  'link-worker': `link-worker${code}`,
  'service-worker': `service-worker${code}`,
};

/** Writes the site; gives its parts, largest first. Throws UsageError for a system that no page can open. */
export async function buildSite({
  folder,
  dataset,
  linker,
  places,
  onWarning,
}: SiteOptions): Promise<SitePart[]> {
  const { places: _, ...named } = { places, ...places };
  const found = await findIndex(
    Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)),
  );
  const files = await linkingFiles(found, linker.system);
  const thumbnails = await makeThumbnails(dataset.entities, onWarning);
  const examples = await findExamples(dataset, linker);
  const kernels = await firstKernels({ ...places, system: linker.system }, dataset);
  await mkdir(dirname(folder), { recursive: true });
  return replaceFolder(
    folder,
    (stage) => write(stage, dataset, linker, { files, thumbnails, examples, kernels }),
    {
      overwrites: true,
    },
  );
}

interface Content {
  files: PackedFile[];
  thumbnails: Awaited<ReturnType<typeof makeThumbnails>>;
  examples: Awaited<ReturnType<typeof findExamples>>;
  kernels: Site['kernels'];
}

/** Writes the site into an empty folder. */
async function write(
  folder: string,
  dataset: Dataset,
  linker: Linker,
  { files, thumbnails, examples, kernels }: Content,
): Promise<SitePart[]> {
  const hash = createHash('sha256');
  const put = async (name: string, bytes: Uint8Array | string) => {
    hash.update(name).update(bytes);
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
    return bytes.length;
  };
  for (const { path, packed } of files) await put(`${path}.gz`, packed);
  await put('pictures.bin', thumbnails.bytes);
  const shown: Example[] = [];
  let imageBytes = 0;
  for (const { image, ...example } of examples) {
    const name = image && `examples/${basename(image)}`;
    if (name) imageBytes += await put(name, await readImage(image!));
    shown.push({ ...example, image: name });
  }
  const page = (await putStatic(put)) + (await putScripts(put));
  const site: Site = {
    version: '',
    name: dataset.name,
    system: linker.system,
    entities: linker.entityCount,
    files: files.map(({ path, bytes, packed }) => ({ path, bytes, packedBytes: packed.length })),
    pictures: { source: 'pictures.bin', bytes: thumbnails.bytes.length, places: thumbnails.places },
    examples: shown,
    kernels,
  };
  hash.update(JSON.stringify(site));
  const text = JSON.stringify({ ...site, version: hash.digest('hex').slice(0, 16) });
  await writeFile(join(folder, 'site.json'), text);

  const inFolder = (start: string) =>
    files.reduce((sum, { path, packed }) => sum + (path.startsWith(start) ? packed.length : 0), 0);
  const parts = [
    { name: 'CLIP', bytes: inFolder('model/clip/') },
    { name: 'trained weights', bytes: inFolder('model/run/') },
    { name: 'entity index and records', bytes: inFolder('model/index/') },
    { name: 'thumbnails', bytes: thumbnails.bytes.length },
    { name: 'page and engine', bytes: page },
    { name: 'gallery, names of files', bytes: imageBytes + text.length },
  ];
  return parts.sort((a, b) => b.bytes - a.bytes);
}

type Put = (name: string, bytes: Uint8Array | string) => Promise<number>;

async function putStatic(put: Put): Promise<number> {
  const folder = join(packageRoot(), 'web', 'page', 'static');
  let bytes = 0;
  for (const name of ['index.html', 'page.css']) bytes += await put(name, await readFile(join(folder, name)));
  return bytes;
}

async function putScripts(put: Put): Promise<number> {
  const page = fileURLToPath(new URL('../page/', import.meta.url));
  const { outputFiles } = await esbuild.build({
    entryPoints: Object.entries(entries).map(([out, file]) => ({ in: join(page, file), out })),
    outdir: page,
    write: false,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'silent',
  });
  let bytes = 0;
  for (const { path, contents } of outputFiles) bytes += await put(basename(path), contents);
  // The worker asks for it beside itself, at the first picture in WebP; it is not a part of what every visitor downloads.
  const decoder = fileURLToPath(import.meta.resolve('@jsquash/webp/codec/dec/webp_dec.wasm'));
  await put(basename(decoder), await readFile(decoder));
  return bytes;
}

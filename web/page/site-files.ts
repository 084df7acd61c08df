// Downloads what linking reads, packed, and keeps it in the browser's storage for the next visit, on the network or off it.

import { InputError } from '../../files/errors.ts';
import type { Site, SiteFile } from './site.ts';

/** What caches of the site in this folder are called; a host may have several sites. */
export function cacheName(folder: string, of: string): string {
  return `dsmip ${new URL(folder).pathname} ${of}`;
}

/** All files of a site by their addresses. `onBytes` is told of packed bytes as they come. Throws InputError. */
export async function loadFiles(
  { files, version }: Site,
  folder: string,
  onBytes: (bytes: number) => void,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const cache = await openCache(folder, version);
  const loaded = await Promise.all(
    files.map(async (file): Promise<[string, Uint8Array<ArrayBuffer>]> => {
      const address = new URL(file.path, folder).href;
      return [address, await loadFile(file, `${address}.gz`, cache, onBytes)];
    }),
  );
  return new Map(loaded);
}

/** The cache of this version of the site, without those of others; null where the browser keeps nothing. */
async function openCache(folder: string, version: string): Promise<Cache | null> {
  try {
    const [own, shell] = [cacheName(folder, version), cacheName(folder, 'shell')];
    for (const name of await caches.keys()) {
      if (name.startsWith(cacheName(folder, '')) && name !== own && name !== shell) await caches.delete(name);
    }
    return await caches.open(own);
  } catch {
    return null; // a private window, or storage that is full or turned off
  }
}

async function loadFile(
  { path, bytes }: SiteFile,
  address: string,
  cache: Cache | null,
  onBytes: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const kept = await cache?.match(address);
  const response =
    kept ??
    (await fetch(address).catch(() => {
      throw new InputError(`${path}: cannot be loaded; is the network there?`);
    }));
  if (!response.ok) throw new InputError(`${path}: cannot be loaded (status ${response.status})`);
  if (!kept) await cache?.put(address, response.clone()).catch(() => {});
  const packed: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of chunksOf(response)) {
    packed.push(chunk);
    onBytes(chunk.length);
  }
  const unpacked = await unpack(new Blob(packed));
  if (unpacked.length !== bytes)
    throw new InputError(`${path}: damaged: ${unpacked.length} bytes of ${bytes}`);
  return unpacked;
}

async function* chunksOf({ body }: Response): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = body!.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) yield value!;
}

/** Some hosts call a .gz file a packed answer; then the browser has unpacked it already. */
async function unpack(packed: Blob): Promise<Uint8Array<ArrayBuffer>> {
  const [first, second] = new Uint8Array(await packed.slice(0, 2).arrayBuffer());
  const isPacked = first === 0x1f && second === 0x8b;
  const stream = isPacked ? packed.stream().pipeThrough(new DecompressionStream('gzip')) : packed.stream();
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

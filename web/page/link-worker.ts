// The worker that links: the linker of the library, on the visitor's GPU, so that typing never waits for it. It encodes knowledge
// bases of the visitor's own as well.

import { type Device, openDevice } from '../../engine/device.ts';
import { InputError } from '../../files/errors.ts';
import { holdFolder } from '../../files/held-files.ts';
import { type Linker, type LinkerOptions, openLinker } from '../../link/linker.ts';
import { loadLinkingModel } from '../../link/linking-model.ts';
import { openModelBase } from '../../link/model-base.ts';
import type { IndexHead } from '../../ranking/index/format.ts';
import { readHead } from '../../ranking/index/source.ts';
import type { FromWorker, OwnRequest, ToWorker } from './link-protocol.ts';
import { encodeOwnBase, exportOwnBase, listOwnBases, ownFolder, removeOwnBase } from './own/own-index.ts';
import { type Site, siteFolders } from './site.ts';
import { loadFiles } from './site-files.ts';

type Ask = Extract<ToWorker, { id: number }>;

/** What the site's own linker was opened with, and what its index says of itself. */
interface Opened {
  device: Device;
  folder: string;
  places: LinkerOptions & { clip: string; run?: string; system: string };
  head: IndexHead;
}

let opened: Opened | null = null;
/** The linker of a knowledge base, null for the site's, that is open. */
const linkers = new Map<string | null, Linker>();
/** The last that was asked and is not being answered yet. */
let waiting: Ask | null = null;
let isLinking = false;
let stopping = new AbortController();
let ownWork: Promise<void> = Promise.resolve();

self.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if ('site' in data) {
    open(data.site, data.folder).catch((error) => {
      say({ kind: 'unusable', problem: lineOf(error), needsWebGpu: false });
    });
  } else if ('id' in data) {
    waiting = data;
    void answer();
  } else if ('stop' in data) stopping.abort();
  else ownWork = ownWork.then(() => changeOwn(data));
});

async function open(site: Site, folder: string): Promise<void> {
  // Before anything is downloaded that would be of no use.
  if (!(await navigator.gpu?.requestAdapter())) {
    return say({ kind: 'unusable', problem: 'this browser has no WebGPU', needsWebGpu: true });
  }
  const ofBytes = site.files.reduce((sum, { packedBytes }) => sum + packedBytes, 0);
  let bytes = 0;
  const device = await openDevice({ isBrief: true });
  const [files] = await Promise.all([
    loadFiles(site, folder, (more) => {
      bytes += more;
      say({ kind: 'loading', bytes, ofBytes });
    }),
    // Beside each other, and while the files come.
    device.compileAhead(site.kernels[device.isCpu ? 'cpu' : 'gpu']),
  ]);
  const at = (path: string) => new URL(path, folder).href;
  holdFolder(at('model/'), files);
  const hasRun = site.files.some(({ path }) => path.startsWith(siteFolders.run));
  const index = at(siteFolders.index);
  const places = {
    clip: at(siteFolders.clip),
    ...(hasRun && { run: at(siteFolders.run) }),
    system: site.system,
    device,
  };
  linkers.set(null, await openLinker({ ...places, index }));
  opened = { device, folder, places, head: await readHead(index) };
  void device.gpu.lost.then(({ message }) => {
    say({
      kind: 'unusable',
      problem: `the GPU is gone (${message}); load the page again`,
      needsWebGpu: false,
    });
  });
  say({ kind: 'open' });
  await sayKept();
  void answer();
}

/** Answers what waits, one after another; of several that wait the last only. */
async function answer(): Promise<void> {
  if (isLinking || !opened) return;
  isLinking = true;
  for (let ask = waiting; ask; ask = waiting) {
    waiting = null;
    say(await linked(ask));
  }
  isLinking = false;
}

async function linked({ id, mention, top, base }: Ask): Promise<FromWorker> {
  const start = performance.now();
  try {
    const linker = await linkerOf(base);
    const [found] = await linker.link([mention], { top, explain: true, strictImages: true });
    return { kind: 'found', id, found: found!, milliseconds: performance.now() - start };
  } catch (error) {
    return { kind: 'failed', id, problem: lineOf(error) };
  }
}

/** The linker of a knowledge base of the visitor's; null for the site's. Of the visitor's one is open at a time. */
async function linkerOf(base: string | null): Promise<Linker> {
  const known = linkers.get(base);
  if (known) return known;
  await closeOwn();
  const { folder, places, head } = opened!;
  const kept = (await listOwnBases(folder, head)).find(({ name }) => name === base);
  if (!kept) throw new InputError(`there is no knowledge base ${base} in this browser`);
  if (!kept.fits) throw new InputError(`${base}: has to be encoded by the model that this page has now`);
  const linker = await openLinker({ ...places, index: ownFolder(folder, kept.name) });
  linkers.set(base, linker);
  return linker;
}

async function closeOwn(): Promise<void> {
  for (const [base, linker] of linkers) {
    if (base === null) continue;
    linkers.delete(base);
    await linker.close();
  }
}

/** Does what is asked with knowledge bases of the visitor's. */
async function changeOwn(request: Exclude<OwnRequest, { stop: true }>): Promise<void> {
  if (!opened) return;
  const { folder } = opened;
  stopping = new AbortController();
  try {
    if ('encode' in request) await encode(opened, request.encode);
    else if ('export' in request) {
      say({ kind: 'exported', name: request.export, zip: await exportOwnBase(folder, request.export) });
    } else {
      await closeOwn();
      await removeOwnBase(folder, request.remove);
    }
  } catch (error) {
    say({ kind: 'not done', problem: stopping.signal.aborted ? null : lineOf(error) });
  }
  await sayKept();
}

async function encode(
  { folder, places, head }: Opened,
  chosen: Extract<OwnRequest, { encode: unknown }>['encode'],
) {
  const base = await openModelBase(places);
  const { scorer, release } = await loadLinkingModel(base, places.run ?? null, places.system);
  try {
    // Known by what the site's index was made with: it is the same model and the same vocabulary.
    const { model: fingerprint = null, tokenizer: tokenizerHash = '' } = head.fingerprints;
    const maker = {
      model: { scorer, fingerprint },
      run: places.run ?? null,
      base: { ...base, tokenizerHash },
      origin: head.origin,
    };
    const problems = await encodeOwnBase(maker, folder, chosen, {
      signal: stopping.signal,
      onProgress: (done, total) => say({ kind: 'encoding', done, total }),
    });
    await closeOwn();
    say({ kind: 'encoded', name: chosen.name, problems });
  } finally {
    release();
    base.close();
  }
}

async function sayKept(): Promise<void> {
  // A private window may keep nothing.
  const bases = await listOwnBases(opened!.folder, opened!.head).catch(() => []);
  say({ kind: 'kept', bases });
}

function lineOf(error: unknown): string {
  return error instanceof InputError ? error.message : `an error of the page: ${error}`;
}

function say(message: FromWorker): void {
  (self as unknown as { postMessage(message: FromWorker): void }).postMessage(message);
}

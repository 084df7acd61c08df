// The worker that links: the linker of the library, on the visitor's GPU, so that typing never waits for it.

import { openDevice } from '../../engine/device.ts';
import { InputError } from '../../files/errors.ts';
import { holdFolder } from '../../files/held-files.ts';
import { type Linker, openLinker } from '../../link/linker.ts';
import type { FromWorker, ToWorker } from './link-protocol.ts';
import { type Site, siteFolders } from './site.ts';
import { loadFiles } from './site-files.ts';

type Ask = Extract<ToWorker, { id: number }>;

let linker: Linker | null = null;
/** The last that was asked and is not being answered yet. */
let waiting: Ask | null = null;
let isLinking = false;

self.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if ('site' in data) {
    open(data.site, data.folder).catch((error) => {
      say({ kind: 'unusable', problem: lineOf(error), needsWebGpu: false });
    });
    return;
  }
  waiting = data;
  void answer();
});

async function open(site: Site, folder: string): Promise<void> {
  // Before anything is downloaded that would be of no use.
  if (!(await navigator.gpu?.requestAdapter())) {
    return say({ kind: 'unusable', problem: 'this browser has no WebGPU', needsWebGpu: true });
  }
  const ofBytes = site.files.reduce((sum, { packedBytes }) => sum + packedBytes, 0);
  let bytes = 0;
  const [device, files] = await Promise.all([
    openDevice(),
    loadFiles(site, folder, (more) => {
      bytes += more;
      say({ kind: 'loading', bytes, ofBytes });
    }),
  ]);
  const at = (path: string) => new URL(path, folder).href;
  holdFolder(at('model/'), files);
  const hasRun = site.files.some(({ path }) => path.startsWith(siteFolders.run));
  linker = await openLinker({
    clip: at(siteFolders.clip),
    index: at(siteFolders.index),
    ...(hasRun && { run: at(siteFolders.run) }),
    system: site.system,
    device,
  });
  void device.gpu.lost.then(({ message }) => {
    say({
      kind: 'unusable',
      problem: `the GPU is gone (${message}); load the page again`,
      needsWebGpu: false,
    });
  });
  say({ kind: 'open' });
  void answer();
}

/** Answers what waits, one after another; of several that wait the last only. */
async function answer(): Promise<void> {
  if (isLinking) return;
  isLinking = true;
  for (let ask = waiting; ask && linker; ask = waiting) {
    waiting = null;
    say(await linked(linker, ask));
  }
  isLinking = false;
}

async function linked(linker: Linker, { id, mention, top }: Ask): Promise<FromWorker> {
  const start = performance.now();
  try {
    const [found] = await linker.link([mention], { top, explain: true, strictImages: true });
    return { kind: 'found', id, found: found!, milliseconds: performance.now() - start };
  } catch (error) {
    return { kind: 'failed', id, problem: lineOf(error) };
  }
}

function lineOf(error: unknown): string {
  return error instanceof InputError ? error.message : `an error of the page: ${error}`;
}

function say(message: FromWorker): void {
  (self as unknown as { postMessage(message: FromWorker): void }).postMessage(message);
}

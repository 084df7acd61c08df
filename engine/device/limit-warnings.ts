// Keeps two lines of Dawn off the screen. On lavapipe it prints, from native code and whatever its toggles, that it lowers
// two limits that no kernel of ours uses. Node has no dup2, so standard error itself is exchanged for a file while the one
// call that prints them runs; all else that was printed meanwhile follows. Only a terminal or a pipe can be opened a second
// time without harm: for anything else, and wherever a doubt remains, the lines are simply printed.

import type * as NodeFs from 'node:fs';

const unwanted =
  /^Warning: maxDynamic(Uniform|Storage)BuffersPerPipelineLayout artificially reduced from \d+ to \d+ to fit dynamic offset allocation limit\.\n/gm;

/** Turns of a millisecond that are waited for others to end. */
const mostTurns = 10;

/** Calls `body`, in Node on Linux without what Dawn prints about limits. `body` must do its printing synchronously. */
export async function withoutLimitWarnings<T>(body: () => T): Promise<Awaited<T>> {
  if (process.platform !== 'linux' || 'Deno' in globalThis) return await body();
  const fs = await import('node:fs');
  const { tmpdir } = await import('node:os');
  await quiet();
  const path = `${tmpdir()}/dsmip-stderr-${process.pid}-${performance.now()}`;
  const spool = exchangeStderr(fs, path);
  if (!spool) return await body();
  let result: T;
  try {
    result = body();
  } finally {
    const text = spool.restore().replace(unwanted, '');
    if (text) fs.writeSync(2, text);
  }
  return await result;
}

const mayOpenFiles = /Req|Worker|MessagePort|ZLIB/;

/** Nobody may be opening files, which is what pending requests and other threads of JavaScript would do. */
function isQuiet(): boolean {
  return !process.getActiveResourcesInfo().some((resource) => mayOpenFiles.test(resource));
}

/** Waits a moment for what is ending: the file that was read last is still being closed. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < mostTurns && !isQuiet(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/**
 * Lets descriptor 2 be a file at `path`, until `restore` gives it back and returns what was written; null where that is
 * not safe. The new file gets number 2 because it is the lowest free one: so 0 and 1 must be open, and nobody else may be
 * opening files.
 */
function exchangeStderr(fs: typeof NodeFs, path: string): { restore(): string } | null {
  const { O_APPEND, O_NOCTTY, O_WRONLY } = fs.constants;
  const append = O_WRONLY | O_APPEND | O_NOCTTY;
  let saved: number;
  let reader: number;
  try {
    fs.fstatSync(0);
    fs.fstatSync(1);
    const stderr = fs.fstatSync(2);
    if (!stderr.isFIFO() && !stderr.isCharacterDevice()) return null;
    if (!isQuiet()) return null;
    saved = fs.openSync('/proc/self/fd/2', append);
    reader = fs.openSync(path, 'wx+', 0o600);
  } catch {
    return null;
  }
  const become = (source: number) => {
    const name = `/proc/self/fd/${source}`;
    fs.closeSync(2);
    fs.openSync(name, append);
  };
  become(reader);
  fs.unlinkSync(path);
  return {
    restore() {
      become(saved);
      fs.closeSync(saved);
      const text = fs.readFileSync(reader, 'utf8');
      fs.closeSync(reader);
      return text;
    },
  };
}

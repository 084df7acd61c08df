// The one module that knows where the engine runs: Node, Deno or a browser. Everything else in the
// library asks here for settings, the GPU entry point and a place to remember things.

import { withoutLimitWarnings } from './limit-warnings.ts';

type Runtime = 'node' | 'deno' | 'browser';

/** Which of the three runtimes this is. */
export const runtime: Runtime =
  'Deno' in globalThis ? 'deno' : typeof process === 'object' && process.versions?.node ? 'node' : 'browser';

/** Where setup.mjs unpacks SwiftShader, relative to the package's root. */
const swiftShaderManifest = '.cache/swiftshader/vk_swiftshader_icd.json';

/** An environment variable, undefined where there is none (always so in a browser). */
export function setting(name: string): string | undefined {
  return runtime === 'browser' ? undefined : process.env[name];
}

/**
 * Yields ways to a WebGPU entry point, best first: the system's own adapters (a driver for hardware comes
 * before its CPU fallback there), then SwiftShader where setup put it.
 */
export async function* gpuEntries(): AsyncGenerator<GPU> {
  if (setting('DSMIP_ADAPTER') !== 'swiftshader') {
    const gpu = await openGpu();
    if (gpu) yield gpu;
  }
  if (await useSwiftShader()) {
    const gpu = await openGpu();
    if (gpu) yield gpu;
  }
}

/** The best adapter of an entry point. */
export function bestAdapter(entry: GPU): Promise<GPUAdapter | null> {
  const request = () => entry.requestAdapter({ powerPreference: 'high-performance' });
  return runtime === 'node' ? withoutLimitWarnings(request) : request();
}

/** Dawn frees its instance, devices and all, when the entry point is garbage collected: so it never is. */
const entryPoints: GPU[] = [];

async function openGpu(): Promise<GPU | null> {
  if (runtime !== 'node') return globalThis.navigator?.gpu ?? null;
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  throttleNativePolling();
  // In steps of 65 us, which protect web pages from each other, most kernels of a GPU would take no time at all.
  const gpu = create(['disable-dawn-features=timestamp_quantization']);
  entryPoints.push(gpu);
  return gpu;
}

async function useSwiftShader(): Promise<boolean> {
  if (runtime === 'browser') return false;
  const { existsSync } = await import('node:fs');
  const { fileURLToPath } = await import('node:url');
  // The sources lie two folders below the root, what is built of them three.
  const root = new URL(import.meta.url.endsWith('.ts') ? '../../' : '../../../', import.meta.url);
  const manifest = fileURLToPath(new URL(swiftShaderManifest, root));
  if (!existsSync(manifest)) return false;
  // Read by the Vulkan loader when the next instance is created.
  process.env.VK_DRIVER_FILES = manifest;
  process.env.VK_ICD_FILENAMES = manifest;
  return true;
}

const immediatePolls = 24;
const pollPauseMs = 1;
let throttled = false;

/**
 * Dawn's Node binding polls through `setImmediate` for as long as any promise is pending, which takes a core
 * from a CPU adapter. Short waits still poll at once; after that the polls are a millisecond apart.
 * Only native callbacks are slowed: JavaScript's own use of setImmediate is left as it is.
 */
function throttleNativePolling(): void {
  if (throttled) return;
  throttled = true;
  const immediate = globalThis.setImmediate;
  const isNative = (f: unknown) => /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(f));
  let polls = 0;
  let lastPoll = 0;
  const patched = (callback: (...args: unknown[]) => void, ...args: unknown[]) => {
    if (args.length > 0 || !isNative(callback)) return immediate(callback, ...args);
    const now = performance.now();
    polls = now - lastPoll > 4 * pollPauseMs ? 0 : polls + 1;
    lastPoll = now;
    return polls < immediatePolls ? immediate(callback) : setTimeout(callback, pollPauseMs);
  };
  globalThis.setImmediate = Object.assign(patched, immediate) as unknown as typeof setImmediate;
}

/** Reads a remembered JSON value; null when there is none or it cannot be read. */
export async function recall(key: string): Promise<unknown> {
  try {
    if (runtime === 'browser') return JSON.parse(localStorage.getItem(`dsmip:${key}`) ?? 'null');
    const { readFile } = await import('node:fs/promises');
    return JSON.parse(await readFile(await cacheFile(key), 'utf8'));
  } catch {
    return null;
  }
}

/** Remembers a JSON value on this machine. Failing to is not an error: the value is only made again. */
export async function remember(key: string, value: unknown): Promise<void> {
  try {
    const text = JSON.stringify(value);
    if (runtime === 'browser') return localStorage.setItem(`dsmip:${key}`, text);
    const { mkdir, readdir, rename, rm, writeFile } = await import('node:fs/promises');
    const { dirname, join } = await import('node:path');
    const file = await cacheFile(key);
    const folder = dirname(file);
    await mkdir(folder, { recursive: true });
    // What processes that were killed have left.
    for (const name of await readdir(folder)) {
      const [, pid] = /\.json\.(\d+)\.tmp$/.exec(name) ?? [];
      if (pid !== undefined && !isRunning(Number(pid))) await rm(join(folder, name), { force: true });
    }
    await writeFile(`${file}.${process.pid}.tmp`, text);
    await rename(`${file}.${process.pid}.tmp`, file);
  } catch {
    // A read-only home folder is no reason to stop.
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

/** The file of a key in DSMIP_CACHE, else in the user's folder for caches. */
async function cacheFile(key: string): Promise<string> {
  const { homedir } = await import('node:os');
  const { join } = await import('node:path');
  const folder = setting('DSMIP_CACHE');
  if (folder === '') throw new Error('nothing is to be remembered');
  const usual = () => {
    if (process.platform === 'win32' && setting('LOCALAPPDATA')) return setting('LOCALAPPDATA')!;
    if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches');
    return setting('XDG_CACHE_HOME') || join(homedir(), '.cache');
  };
  return join(folder ?? join(usual(), 'dsmip'), `${key.replace(/[^\w.-]+/g, '_')}.json`);
}

/** Null where there is none, undefined until it is asked for. */
let gc: (() => void) | null | undefined;

/**
 * Frees what nothing refers to any more, where the runtime lets us (Node). A bind group cannot be destroyed; it goes with its
 * JavaScript object, which is so small that Node collects none for minutes. Under lavapipe each holds a memory map, of which
 * a process may have 65,530: with one more it ends with a segmentation fault.
 */
export function collectGarbage(): void {
  if (gc === undefined) gc = exposedGc();
  gc?.();
}

function exposedGc(): (() => void) | null {
  if (runtime !== 'node') return null;
  const [v8, vm] = [process.getBuiltinModule('node:v8'), process.getBuiltinModule('node:vm')];
  // A flag of V8, not one of ours.
  const flag = 'expose-gc';
  v8.setFlagsFromString(`--${flag}`);
  return vm.runInNewContext('gc');
}

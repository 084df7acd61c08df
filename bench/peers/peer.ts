// Runs the benchmarks of another library, each in a process of its own, so that nobody's garbage, compiled
// kernels or kept buffers slow the others down. The peers find WebGPU where a browser has it,
// `navigator.gpu`: it is set to the entry point that our engine uses, so they run on the same adapter and get
// the engine's throttled polling (without it Dawn's busy wait takes one of a CPU adapter's cores from them).

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describeAdapter } from '../../engine/device/adapter.ts';
import { gpuEntries, runtime } from '../../engine/device/platform.ts';
import { measure } from '../measure.ts';
import { countGpuMemory } from './gpu-memory.ts';

export const peerNames = ['jax-js', 'tfjs'] as const;
export type PeerName = (typeof peerNames)[number];

/** What a peer did: ms is null where it could not. */
export interface PeerResult {
  ms: number | null;
  /** Largest sum of its GPU buffers' bytes. */
  peakBytes?: number;
  /** The loss that it computed, for comparison with ours. */
  loss?: number;
}

/** A benchmark written for a peer. */
export interface PeerJob {
  queue: (runs: number) => void | Promise<void>;
  finish: () => Promise<void>;
  /** The value of the loss, where there is one. */
  loss?: () => Promise<number>;
}

/** A peer's benchmarks by name; each makes its operands and returns the job. */
export type PeerJobs = Readonly<Record<string, () => PeerJob | Promise<PeerJob>>>;

/** Names of the benchmarks that the peers have. */
export const peerBenchmarks: readonly string[] = [
  'matmul-1024',
  'matmul-clip-mlp',
  'block-train',
  'softmax',
  'layernorm',
  'attention-forward',
];

const timeLimitMs = 100_000;

/** Runs a peer's benchmark in a child process. Resolves to ms null, with the reason on stderr, if it fails. */
export function runPeer(peer: PeerName, name: string, adapter: string): Promise<PeerResult> {
  const script = fileURLToPath(new URL(import.meta.url.replace(/peers\/peer(\.\w+)$/, 'bench$1')));
  const flags = runtime === 'deno' ? ['run', '-A'] : [];
  const options = { timeout: timeLimitMs, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve) => {
    execFile(process.execPath, [...flags, script, '--peer', peer, name], options, (error, stdout, stderr) => {
      const fail = (reason: string) => {
        console.error(`${name}: ${peer} has no figure: ${reason}`);
        resolve({ ms: null });
      };
      const line = stdout.trim().split('\n').at(-1) ?? '';
      if (error?.killed) return fail(`it took more than ${timeLimitMs / 1000} s`);
      if (error || !line.startsWith('{'))
        return fail(firstError(stderr) || String(error ?? 'it printed none'));
      const { adapter: theirs, ...result } = JSON.parse(line) as PeerResult & { adapter: string };
      if (theirs !== adapter) return fail(`it ran on another adapter, ${theirs}`);
      // Peers report GPU errors on the console and go on with wrong results.
      if (/uncaptured|validation|out of memory/i.test(stderr)) return fail(firstError(stderr));
      resolve(result);
    });
  });
}

/** The child's side: runs one benchmark and prints its PeerResult and adapter as a line of JSON. */
export async function servePeer(peer: PeerName, name: string): Promise<void> {
  const memory = await countGpuMemory();
  const adapter = await installNavigatorGpu();
  const jobs = await loadJobs(peer);
  const make = jobs[name];
  if (!make) throw new Error(`${peer} has no benchmark ${name}`);
  const { queue, finish, loss } = await make();
  // The first run compiles.
  const value = loss ? await loss() : await queue(1);
  await finish();
  memory.resetPeak();
  const { best } = await measure(queue, finish);
  console.log(JSON.stringify({ adapter, ms: best, peakBytes: memory.peakBytes, loss: value ?? undefined }));
  // Their devices would keep the process alive.
  process.exit(0);
}

async function loadJobs(peer: PeerName): Promise<PeerJobs> {
  return peer === 'jax-js' ? (await import('./jax-js.ts')).jaxJobs : (await import('./tfjs.ts')).tfjsJobs;
}

/** Sets `navigator.gpu` to the first entry point with an adapter, as the engine does; the adapter in one line. */
async function installNavigatorGpu(): Promise<string> {
  for await (const gpu of gpuEntries()) {
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) continue;
    if (globalThis.navigator.gpu !== gpu) Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu });
    return describeAdapter(adapter.info);
  }
  throw new Error('no WebGPU adapter found');
}

function firstError(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  return (lines.find((line) => /error/i.test(line)) ?? lines[0] ?? '').trim().slice(0, 300);
}

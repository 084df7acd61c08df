// npm run bench: how fast the kernels are, as shares of what the adapter can do.
//
//   npm run bench                         all of our kernels
//   npm run bench -- softmax layernorm    those named (npm run bench -- --help lists the names)
//   npm run bench -- --peers              also jax-js and TensorFlow.js, on the same adapter in the same run
//   npm run bench -- --json               JSON on standard output, for machines
//
// First the adapter's ceilings are measured: multiply-adds on registers and copying. They are measured again at
// the end, and the higher counts. Then every benchmark is warmed up (kernels compiled, tuning settled) and
// timed: many runs are queued, the time until all are done is divided by their number, and the best of the
// repetitions is the figure, since other work on the machine can only add to it; the median shows how much
// it did. Kernels with variants are timed with the one that tuning picked; DSMIP_TUNE=off times the default.
//
// Peers run right after our own figure, each benchmark in a process of its own (bench/peers/peer.ts). They are
// written as their users would write them, and get the engine's throttled polling. For block-train, the loss
// of all is compared, and peak memory is the bytes of all GPU buffers that existed at once.
//
// JSON: {adapter, ceilings: {fmaGflops, copyGBs}, results: [{name, ms, gflops, gbs, share, peers: {"jax-js":
// {ms}, tfjs: {ms}}}]}. ms is null where a peer could not run it, with the reason on standard error; block-train
// has peakBytes as well, also in peers. Copying counts bytes read plus bytes written.

import { reportError } from '../cli/errors.ts';
import { onOutputLost, watchOutputs } from '../cli/output.ts';
import { runtime } from '../engine/device/platform.ts';
import { type Device, openDevice } from '../engine/device.ts';
import { visible } from '../files/errors.ts';
import { type Benchmark, time } from './benchmark.ts';
import { blockBenchmark, blockLoss, blockOperands } from './block.ts';
import { higher, measureCeilings } from './ceilings.ts';
import { denseBenchmarks } from './dense.ts';
import { elementBenchmarks } from './elements.ts';
import { meanAttentionBenchmarks } from './mean-attention.ts';
import { countGpuMemory, type GpuMemory } from './peers/gpu-memory.ts';
import {
  type PeerName,
  type PeerResult,
  peerBenchmarks,
  peerNames,
  runPeer,
  servePeer,
} from './peers/peer.ts';
import { type Measured, report, table } from './report.ts';
import { rowBenchmarks } from './rows.ts';
import { scoringBenchmarks } from './scoring.ts';
import { sequenceBenchmarks } from './sequences.ts';

const benchmarks: readonly Benchmark[] = [
  // First, while no other benchmark's tensors wait to be collected: they would count as its memory.
  blockBenchmark,
  ...denseBenchmarks,
  ...rowBenchmarks,
  ...meanAttentionBenchmarks,
  ...sequenceBenchmarks,
  ...elementBenchmarks,
  ...scoringBenchmarks,
];

/** Relative difference between losses that rounding explains. */
const sameLoss = 1e-3;

watchOutputs();
onOutputLost((error) => process.exit(reportError(error)));
const [first, peer, name] = process.argv.slice(2);
if (first === '--peer') await servePeer(peer as PeerName, name!);
else await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<void> {
  const known = [...benchmarks.map(({ name }) => name), '--json', '--peers', '--help'];
  const unknown = words.find((word) => !known.includes(word));
  if (unknown !== undefined) {
    console.error(
      `bench: unknown ${unknown.startsWith('-') ? 'flag' : 'benchmark'} ${visible(unknown)}; see npm run bench -- --help`,
    );
    process.exitCode = 1;
    return;
  }
  if (words.includes('--help')) return console.log(help());
  const names = words.filter((word) => !word.startsWith('--'));
  const chosen = benchmarks.filter(({ name }) => names.length === 0 || names.includes(name));
  await bench(chosen, words.includes('--peers'), words.includes('--json'));
}

async function bench(chosen: readonly Benchmark[], withPeers: boolean, json: boolean): Promise<void> {
  const memory = await countGpuMemory();
  const device = await openDevice();
  // Standard output is for the report alone when a machine reads it.
  const say = json ? console.error : console.log;
  say(`${device.description}; ${runtimeName()}; ${navigator.hardwareConcurrency} cores`);
  const before = await measureCeilings(device);
  say(
    `ceilings: ${before.fmaGflops.toFixed(1)} GFLOP/s of multiply-adds, ${before.copyGBs.toFixed(1)} GB/s of copying`,
  );

  const measured: Measured[] = [];
  for (const benchmark of chosen) {
    if (benchmark.runsOn && !benchmark.runsOn(device)) {
      say(`${benchmark.name}: left out on this device`);
      continue;
    }
    measured.push(await measureOne(device, memory, benchmark, withPeers));
    console.error(`${benchmark.name}: ${measured.at(-1)!.timing.best.toFixed(3)} ms`);
  }
  const ceilings = higher(before, await measureCeilings(device));
  const result = report(device.description, ceilings, measured);
  console.log(json ? JSON.stringify(result, null, 2) : table(result, measured));
  if (!json)
    console.log(
      `ceilings after all: ${ceilings.fmaGflops.toFixed(1)} GFLOP/s, ${ceilings.copyGBs.toFixed(1)} GB/s`,
    );
}

async function measureOne(
  device: Device,
  memory: GpuMemory,
  benchmark: Benchmark,
  withPeers: boolean,
): Promise<Measured> {
  // So that small operands do not lie in large buffers that were used before.
  device.trim();
  const timing = await time(device, benchmark, () => {
    // What tuning needed is no part of a step.
    device.trim();
    memory.resetPeak();
  });
  const peers: Partial<Record<PeerName, PeerResult>> = {};
  const isBlock = benchmark === blockBenchmark;
  const { peakBytes } = memory;
  if (withPeers && peerBenchmarks.includes(benchmark.name)) {
    for (const peer of peerNames) peers[peer] = await runPeer(peer, benchmark.name, device.description);
    if (isBlock) await compareLosses(device, peers);
  }
  return { benchmark, timing, peers, ...(isBlock ? { peakBytes } : {}) };
}

/** A peer that computed something else has no figure. */
async function compareLosses(device: Device, peers: Partial<Record<PeerName, PeerResult>>): Promise<void> {
  const { x, weights } = blockOperands(device);
  const ours = await device.scope(() => blockLoss(x, weights).item());
  for (const tensor of [x, ...Object.values(weights)]) tensor.release();
  for (const [peer, result] of Object.entries(peers)) {
    if (result.ms === null || Math.abs(result.loss! - ours) <= sameLoss * Math.abs(ours)) continue;
    console.error(`block-train: ${peer} has no figure: its loss is ${result.loss}, ours ${ours}`);
    result.ms = null;
  }
}

function help(): string {
  const lines = ['usage: npm run bench -- [NAME ...] [--peers] [--json]', '', 'benchmarks:'];
  for (const { name } of benchmarks)
    lines.push(`  ${name}${peerBenchmarks.includes(name) ? ' (peers too)' : ''}`);
  return lines.join('\n');
}

function runtimeName(): string {
  return runtime === 'deno' ? `Deno ${process.versions['deno']}` : `Node ${process.versions.node}`;
}

// What a run of the benchmarks found, as the binding JSON and as a table for people.

import type { Benchmark } from './benchmark.ts';
import type { Ceilings } from './ceilings.ts';
import type { Timing } from './measure.ts';
import { type PeerName, type PeerResult, peerNames } from './peers/peer.ts';

/** One benchmark's figures, before the ceilings are known for good. */
export interface Measured {
  benchmark: Benchmark;
  timing: Timing;
  /** Most bytes of GPU buffers at once; only where it was asked for. */
  peakBytes?: number;
  peers: Partial<Record<PeerName, PeerResult>>;
}

export interface Report {
  adapter: string;
  ceilings: Ceilings;
  results: Result[];
}

/** Times in milliseconds, the best of all repetitions; `share` is of the FMA ceiling or of the copy ceiling. */
interface Result {
  name: string;
  ms: number;
  gflops: number;
  gbs: number;
  share: number;
  /** Pairs of mentions and entities a second. */
  pairRate?: number;
  peakBytes?: number;
  peers: Partial<Record<PeerName, { ms: number | null; peakBytes?: number }>>;
}

export function report(adapter: string, ceilings: Ceilings, measured: readonly Measured[]): Report {
  return { adapter, ceilings: rounded(ceilings), results: measured.map((one) => result(one, ceilings)) };
}

function result({ benchmark, timing, peakBytes, peers }: Measured, ceilings: Ceilings): Result {
  const { name, bound } = benchmark;
  const ms = timing.best;
  const gflops = benchmark.flops / ms / 1e6;
  const gbs = benchmark.bytes / ms / 1e6;
  const share = bound === 'fma' ? gflops / ceilings.fmaGflops : gbs / ceilings.copyGBs;
  const theirs = Object.entries(peers).map(([peer, { ms, peakBytes }]) => [
    peer,
    {
      ms: ms === null ? null : round(ms),
      ...(peakBytes !== undefined && name === 'block-train' ? { peakBytes } : {}),
    },
  ]);
  return {
    name,
    ...rounded({ ms, gflops, gbs, share }),
    ...(benchmark.pairs === undefined ? {} : rounded({ pairRate: (1000 * benchmark.pairs) / ms })),
    ...(peakBytes === undefined ? {} : { peakBytes }),
    peers: Object.fromEntries(theirs),
  };
}

/** The table: a line a benchmark, then what compares two of them and the peak memory. */
export function table(report: Report, measured: readonly Measured[]): string {
  const withPeers = peerNames.filter((peer) => measured.some(({ peers }) => peer in peers));
  const head = [
    'kernel',
    'best ms',
    'median ms',
    'GFLOP/s',
    'GB/s',
    'share',
    'of',
    ...withPeers.map((peer) => `${peer} ms`),
  ];
  const rows = report.results.map((result, i) => [
    result.name,
    result.ms.toFixed(3),
    measured[i]!.timing.median.toFixed(3),
    result.gflops.toFixed(1),
    result.gbs.toFixed(1),
    `${Math.round(100 * result.share)} %`,
    measured[i]!.benchmark.bound,
    ...withPeers.map((peer) => ratio(result.peers[peer], result.ms)),
  ]);
  return [...aligned([head, ...rows]), ...remarks(report)].join('\n');
}

/** A peer's time and how many times ours it is. */
function ratio(peer: { ms: number | null } | undefined, ours: number): string {
  if (!peer) return '';
  return peer.ms === null ? 'none' : `${peer.ms.toFixed(2)} (${(peer.ms / ours).toFixed(1)}x)`;
}

function remarks({ results }: Report): string[] {
  const lines = results.flatMap(pairRemark(results));
  const [fused, unfused, block] = ['attention-forward', 'attention-unfused', 'block-train'].map((name) =>
    results.find((result) => result.name === name),
  );
  if (fused && unfused) {
    const times = (unfused.ms / fused.ms).toFixed(1);
    lines.push(`attention-forward: ${times}x as fast as attention-unfused`);
  }
  if (block?.peakBytes !== undefined) {
    const theirs = Object.entries(block.peers).flatMap(([peer, { peakBytes }]) =>
      peakBytes === undefined
        ? []
        : [`${peer} ${megabytes(peakBytes)} (${(peakBytes / block.peakBytes!).toFixed(1)}x)`],
    );
    lines.push(`block-train: peak GPU memory ${[megabytes(block.peakBytes), ...theirs].join(', ')}`);
  }
  return lines;
}

/** How many pairs a second, and against the training units if those were timed too. */
function pairRemark(results: readonly Result[]) {
  return ({ name, ms, pairRate }: Result): string[] => {
    if (pairRate === undefined) return [];
    const units = results.find(
      (other) => other.name === name.replace(/^pairs-/, 'units-') && other.name !== name,
    );
    const times = units ? `, ${(units.ms / ms).toFixed(1)}x as fast as ${units.name}` : '';
    return [`${name}: ${(pairRate / 1e6).toFixed(2)} million pairs a second${times}`];
  };
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

/** Lines of padded columns: the first to the left, numbers to the right. */
function aligned(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
}

function rounded<T extends Record<string, number> | Ceilings>(values: T): T {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, round(value)])) as T;
}

function round(value: number): number {
  return Number(value.toPrecision(5));
}

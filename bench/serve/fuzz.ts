// Sends wrong requests to a server in a process of its own and counts the answers:
//   node bench/serve/fuzz.ts --run runs/default [--requests 10000] [--seed 1]
// Ends with exit code 1 for any 5xx, for a wrong request that was taken, and for a server that does not answer afterwards.

import fc from 'fast-check';
import { type WrongRequest, wrongRequest } from '../../tests/web/server/malformed-requests.ts';
import { count, parseFlags, reportError, text } from '../scale/flags.ts';
import { spawnServer } from './spawned-server.ts';

const FLAGS = {
  run: text('runs/default', 'folder of a run'),
  requests: count(10_000, 'to send', 1),
  seed: count(1, 'what is random begins with'),
};
/** Requests that are under way at a time. */
const clients = 8;

try {
  const options = parseFlags('usage: node bench/serve/fuzz.ts [flags]', FLAGS, process.argv.slice(2));
  if (options) await fuzz(options);
} catch (error) {
  process.exitCode = reportError(error);
}

async function fuzz({ run, requests, seed }: { run: string; requests: number; seed: number }): Promise<void> {
  const server = await spawnServer(['--run', run]);
  const statuses = new Map<number, number>();
  const odd: string[] = [];
  const send = async ({ method, path, type, body, isWrong }: WrongRequest) => {
    const headers = type === null ? {} : { 'content-type': type };
    const { status } = await fetch(`${server.url}${path}`, { method, headers, body });
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status >= 500 || (isWrong && status < 400)) odd.push(`${status} ${method} ${path} ${type} ${body}`);
  };
  try {
    const before = server.residentBytes();
    const all = fc.sample(wrongRequest, { numRuns: requests, seed }).values();
    const client = async () => {
      // All clients take from the one iterator.
      for (const request of all) await send(request);
    };
    await Promise.all(Array.from({ length: clients }, client));
    const { status } = await fetch(`${server.url}/link`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ word: 'mouse', sentence: 'a small rodent' }),
    });
    if (status !== 200) odd.push(`${status} to a right request afterwards`);
    const megabytes = [before, server.residentBytes()].map((bytes) => (bytes / 1e6).toFixed(0));
    const counts = [...statuses].sort(([a], [b]) => a - b).map(([own, times]) => `${own}: ${times}`);
    console.log(`${requests} requests: ${counts.join(', ')}; MB before and after: ${megabytes.join(', ')}`);
  } finally {
    await server.stop();
  }
  for (const line of odd.slice(0, 20)) console.log(line.slice(0, 300));
  if (odd.length > 0) process.exitCode = 1;
}

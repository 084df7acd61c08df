// How many mentions a second the server links, and how long an answer takes, for some numbers of clients:
//   node bench/serve/load.ts --run runs/default [--clients 1,8,64] [--seconds 10] [--candidates 100] [--images]
// The mentions are those of the data set's dev split in turn, one a request, over loopback; autocannon asks. Prints a table.

import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';
import { readDataset } from '../../data/dataset.ts';
import { textTable } from '../../eval/text-table.ts';
import { count, on, parseFlags, reportError, text } from '../scale/flags.ts';
import { spawnServer } from './spawned-server.ts';

const FLAGS = {
  run: text('runs/default', 'folder of a run'),
  data: text('data/openconcepts', 'folder of the data set'),
  clients: text('1,8,64', 'numbers of clients, separated by commas'),
  seconds: count(10, 'to measure each for, after 3 s that do not count', 1),
  candidates: count(0, 'entities to score a mention; 0: all'),
  images: on('send the pictures that mentions have'),
};

try {
  const options = parseFlags('usage: node bench/serve/load.ts [flags]', FLAGS, process.argv.slice(2));
  if (options) await measure(options);
} catch (error) {
  process.exitCode = reportError(error);
}

async function measure({
  run,
  data,
  clients,
  seconds,
  candidates,
  images,
}: {
  run: string;
  data: string;
  clients: string;
  seconds: number;
  candidates: number;
  images: boolean;
}): Promise<void> {
  const { splits } = await readDataset(data);
  const requests = splits.dev.map(({ word, sentence, image }) => ({
    method: 'POST' as const,
    path: '/link',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      word,
      sentence,
      image: images && image !== null ? readFileSync(image).toString('base64') : null,
    }),
  }));
  const server = await spawnServer(['--run', run, '--candidates', `${candidates}`]);
  const rows = [
    ['clients', 'mentions/s', 'p50 ms', 'p95 ms', 'p99 ms', 'largest ms', 'CPU ms each', 'not 200', 'MB'],
  ];
  try {
    for (const connections of clients.split(',').map(Number)) {
      const load = { url: server.url, connections, requests, timeout: 60 };
      await autocannon({ ...load, duration: 3 });
      const latencies: number[] = [];
      let refused = 0;
      const [start, processor] = [performance.now(), server.processorSeconds()];
      await new Promise((resolve) => {
        const running = autocannon({ ...load, duration: seconds }, resolve);
        running.on('response', (_client, status, _bytes, milliseconds) => {
          if (status === 200) latencies.push(milliseconds);
          else refused++;
        });
      });
      const elapsed = (performance.now() - start) / 1000;
      const milliseconds = (1000 * (server.processorSeconds() - processor)) / latencies.length;
      latencies.sort((a, b) => a - b);
      const at = (part: number) =>
        latencies[Math.min(latencies.length - 1, Math.floor(part * latencies.length))];
      rows.push([
        `${connections}`,
        (latencies.length / elapsed).toFixed(1),
        ...[0.5, 0.95, 0.99, 1].map((part) => (at(part) ?? Number.NaN).toFixed(0)),
        milliseconds.toFixed(0),
        `${refused}`,
        (server.residentBytes() / 1e6).toFixed(0),
      ]);
    }
  } finally {
    await server.stop();
  }
  console.log(textTable(rows, []).join('\n'));
}

// A hub on this machine that behaves as badly as it is told to, for the tests of downloads and of ranges over HTTP.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server does wrong, request by request; it may change while the server runs. */
export interface Faults {
  /** Drop the connection after so many bytes of a body; null sends all. */
  dropAfter?: (path: string) => number | null;
  /** Answer with this status instead. */
  status?: (path: string) => number | null;
  /** Send nothing more after so many bytes, but keep the connection. */
  stallAfter?: (path: string) => number | null;
  /** Change the answer's headers. */
  headers?: (path: string, headers: Record<string, string>) => void;
  /** Change what the hub's list says of a file. */
  listed?: (entry: Record<string, unknown>) => void;
  /** Send other bytes than the file's. */
  body?: (bytes: Uint8Array) => Uint8Array;
  /** Answer requests for ranges with the whole file. */
  ignoresRanges?: boolean;
}

export interface FakeHub {
  url: string;
  /** Method, path and range of every request. */
  requests: string[];
  faults: Faults;
  /** Files by path, `/REPO/resolve/REVISION/FILE` for those of the hub. */
  files: Map<string, Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Starts a server on a free port. Files of 1000 bytes and more have a SHA-256 in its list, as large files do. */
export async function startFakeHub(): Promise<FakeHub> {
  const files: FakeHub['files'] = new Map();
  const requests: string[] = [];
  const hub = { url: '', requests, faults: {} as Faults, files };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, 'http://x').pathname);
    requests.push([request.method, path, request.headers.range].filter(Boolean).join(' '));
    const status = hub.faults.status?.(path);
    if (status) response.writeHead(status).end();
    else if (path.startsWith('/api/')) answerList(hub, path, request, response);
    else answerFile(hub, path, request.headers.range, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(hub, {
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  });
}

/** POST /api/models/REPO/paths-info/REVISION */
async function answerList(
  { faults, files }: Pick<FakeHub, 'faults' | 'files'>,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  const { paths } = JSON.parse(Buffer.concat(chunks).toString()) as { paths: string[] };
  const match = /^\/api\/models\/([^/]+\/[^/]+)\/paths-info\/(.+)$/.exec(path);
  const entries = paths.flatMap((name) => {
    const bytes = match && files.get(`/${match[1]}/resolve/${match[2]}/${name}`);
    if (!bytes) return [];
    const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
    const lfs = { oid: sha256(bytes), size: bytes.length, pointerSize: 130 };
    const size = bytes.length;
    const entry: Record<string, unknown> = { type: 'file', path: name, size, oid };
    if (size >= 1000) entry.lfs = lfs;
    faults.listed?.(entry);
    return [entry];
  });
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(entries));
}

function answerFile(
  { faults, files }: Pick<FakeHub, 'faults' | 'files'>,
  path: string,
  range: string | undefined,
  response: ServerResponse,
): void {
  const whole = files.get(path);
  if (!whole) {
    response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
    return;
  }
  const match = faults.ignoresRanges ? null : /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  const sent = faults.body?.(whole) ?? whole;
  const first = match ? Number(match[1]) : 0;
  const end = match?.[2] ? Math.min(Number(match[2]) + 1, whole.length) : sent.length;
  const headers: Record<string, string> = { etag: `"${whole.length}-${whole[0]}"` };
  if (match && first >= whole.length) {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${whole.length}` }).end();
    return;
  }
  const body = sent.subarray(first, end);
  headers['content-length'] = `${body.length}`;
  if (match) headers['content-range'] = `bytes ${first}-${end - 1}/${whole.length}`;
  faults.headers?.(path, headers);
  response.writeHead(match ? 206 : 200, headers);
  const [drop, stall] = [faults.dropAfter?.(path) ?? null, faults.stallAfter?.(path) ?? null];
  const stop = drop ?? stall;
  if (stop === null || stop >= body.length) response.end(body);
  else
    response.write(body.subarray(0, stop), () => drop !== null && setTimeout(() => response.destroy(), 30));
}

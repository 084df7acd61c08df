// Requests by the tens of thousands to a server in a process of its own: right ones of every kind, wrong ones, and entities
// that come and go. Answers are held against the first of their kind, the server's memory is sampled from outside.

import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Toy } from '../../tests/support/toy-run.ts';
import { spawnServer } from '../serve/spawned-server.ts';
import { isSame } from './links.ts';
import { type Held, limitsFromOutside, MemoryWatch, memoryMaps, openFiles } from './memory.ts';
import { beginPart, drawByShare, type PartOptions, type PartResult } from './part.ts';

/** Requests that are under way at a time. */
const clients = 64;
/** The entity that comes and goes; it is left out of answers that are compared. */
const passing = 'N1';

interface Request {
  name: string;
  share: number;
  method: string;
  path: string;
  body: string | null;
  status: readonly number[];
}

interface Answer {
  entities: { qid: string; score: number }[];
}

export async function soakRequests(
  { run, toy, beside }: { run: string; toy: Toy; beside: string },
  options: PartOptions,
): Promise<PartResult> {
  const { asked, until } = options;
  const { draws, faults, tally, progress, result } = beginPart('requests', options);
  // The server writes a journal beside the index.
  const served = join(beside, 'served');
  cpSync(run, served, { recursive: true });
  const server = await spawnServer(['--data', toy.data, '--clip', toy.clip, '--run', served]);
  const requests = requestsWith(join(toy.data, 'mention_image'));
  const expected = new Map<Request, Answer[]>();
  const held = async () => ({
    ...(await metricsOf(server.url).catch((error) => {
      faults.add(`/metrics: ${(error as Error).stack}`);
      return {};
    })),
    'resident MB': server.residentBytes() / 1e6,
    ...openFiles(server.pid),
    ...memoryMaps(server.pid),
  });
  const watch = new MemoryWatch(held, limitsFromOutside);

  const send = async (request: Request): Promise<void> => {
    const { name, method, path, body, status } = request;
    try {
      const headers = body === null ? {} : { 'content-type': 'application/json' };
      const response = await ask(`${server.url}${path}`, { method, headers, body });
      const text = await response.text();
      if (!status.includes(response.status)) faults.add(`${name}: ${response.status} ${text.slice(0, 200)}`);
      tally.add(`${response.status}`);
      if (path !== '/link' || response.status !== 200) return;
      const answers = (JSON.parse(text) as { results: Answer[] }).results;
      const first = expected.get(request);
      if (!first) expected.set(request, answers);
      else if (answers.some((answer, i) => !isSame(ranking(answer), ranking(first[i]!)))) {
        faults.add(`${name}: another answer than at first`);
      }
    } catch (error) {
      faults.add(`${name}: ${(error as Error).stack}`);
    }
  };
  for (const request of requests) await send(request);
  let [sent, done] = [0, 0];
  const client = async () => {
    while (sent < asked && performance.now() < until) {
      sent++;
      await watch.at(done / asked);
      await send(drawByShare(requests, draws));
      progress(++done);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  await watch.at(1);
  const code = await server.stop();
  if (code !== 0) faults.add(`the server ended with exit code ${code}: ${server.complaint()}`);
  rmSync(served, { recursive: true });
  return result(done, watch.trends());
}

function requestsWith(pictures: string): Request[] {
  const image = readFileSync(join(pictures, 'train1.jpg')).toString('base64');
  const mention = { word: 'mouse', sentence: 'the animal with fur ran away' };
  const link = (share: number, name: string, body: object, status = 200): Request => {
    return { name, share, method: 'POST', path: '/link', body: JSON.stringify(body), status: [status] };
  };
  const several = ['bat', 'crane', 'seal', 'mole'].map((word) => ({ word, sentence: 'a machine' }));
  const entity = `/entities/${passing}`;
  const put = JSON.stringify({ name: 'lyre', description: 'an old thing with strings' });
  return [
    link(50, 'a mention', { ...mention, top: 17 }),
    link(10, 'a mention with a picture', { ...mention, image, top: 17 }),
    link(10, 'four mentions', { mentions: several, top: 17 }),
    link(1, 'a picture that cannot be read', { ...mention, image: image.slice(0, 100) }, 422),
    link(2, 'no sentence', { word: 'mouse' }, 422),
    { name: 'no JSON', share: 2, method: 'POST', path: '/link', body: '{"word', status: [400] },
    { name: 'nothing there', share: 5, method: 'GET', path: '/nowhere', body: null, status: [404] },
    { name: 'an entity', share: 10, method: 'GET', path: '/entities/Q1', body: null, status: [200] },
    { name: 'a name', share: 9, method: 'GET', path: '/entities?name=mouse', body: null, status: [200] },
    { name: 'put', share: 0.5, method: 'PUT', path: entity, body: put, status: [200, 201] },
    { name: 'delete', share: 0.5, method: 'DELETE', path: entity, body: null, status: [200, 204, 404] },
  ];
}

function ranking({ entities }: Answer): Answer['entities'] {
  return entities.filter(({ qid }) => qid !== passing);
}

/** The server's own account of its memory, garbage included. */
async function metricsOf(url: string): Promise<Held> {
  const text = await (await ask(`${url}/metrics`, {})).text();
  const of = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  return { 'heap MB': of('dsmip_heap_bytes') / 1e6, 'buffers MB': of('dsmip_buffer_bytes') / 1e6 };
}

/** `fetch`, once more where an idle connection was closed at the moment at which it was to be used again. */
async function ask(url: string, init: RequestInit): Promise<Response> {
  return fetch(url, init).catch((error: Error & { cause?: { code?: string } }) => {
    if (error.cause?.code !== 'ECONNRESET' && error.cause?.code !== 'UND_ERR_SOCKET') throw error;
    return fetch(url, init);
  });
}

// Lets the page work without a network after the first visit: whatever was answered once is kept, and answers where the
// server does not. What linking reads is kept by the worker that downloads it (site-files.ts).

import type { Site } from './site.ts';
import { cacheName } from './site-files.ts';

interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends ExtendableEvent {
  request: Request;
  respondWith(response: Promise<Response>): void;
}
interface ServiceWorker extends EventTarget {
  registration: { scope: string };
  clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
}

const worker = self as unknown as ServiceWorker;
const folder = worker.registration.scope;
const shell = cacheName(folder, 'shell');
const scripts = ['./', 'page.css', 'page.js', 'link-worker.js', 'site.json'];

worker.addEventListener('install', (event) => {
  (event as ExtendableEvent).waitUntil(keepAll().then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (event) => (event as ExtendableEvent).waitUntil(worker.clients.claim()));

worker.addEventListener('fetch', (event) => {
  const { request, respondWith } = event as FetchEvent;
  const isOwn = request.method === 'GET' && request.url.startsWith(folder) && !request.url.endsWith('.gz');
  if (isOwn) respondWith.call(event, answer(request));
});

/** The first visit's own requests were made before there was anyone to keep their answers. */
async function keepAll(): Promise<void> {
  const cache = await caches.open(shell);
  const site = (await (await fetch(new URL('site.json', folder))).json()) as Site;
  const images = site.examples.flatMap(({ image }) => image ?? []);
  await cache.addAll([...scripts, site.pictures.source, ...images].map((path) => new URL(path, folder).href));
}

async function answer(request: Request): Promise<Response> {
  try {
    const response = await fetch(request);
    if (response.ok) {
      const copy = response.clone();
      // Not waited for; where the storage is full, the next visit needs the network again.
      void caches
        .open(shell)
        .then((cache) => cache.put(request, copy))
        .catch(() => {});
    }
    return response;
  } catch (error) {
    const kept = await caches.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

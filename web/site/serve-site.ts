// Serves a folder of static files on this machine, as any static host would: whole or in ranges.

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';

/** Listens at 127.0.0.1; rejects with the system's error where the port is taken. `port` 0: any that is free. */
export async function serveSite(
  folder: string,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const app = new Hono();
  app.use('/*', serveStatic({ root: folder }));
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port }) as Server;
  await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

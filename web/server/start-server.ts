// Listens, in Node and in Deno, until it is told to stop: then it answers what it has in hand and closes all.

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { getLogger } from '@logtape/logtape';
import { type AppOptions, createApp } from './app.ts';
import { LinkerKeeper, type OpenedLinker } from './linker-keeper.ts';

const log = getLogger(['dsmip', 'server']);

export interface ServerOptions extends Omit<AppOptions, 'keeper' | 'hosts'> {
  /** Opens a linker; again, whenever its device is lost. */
  open: () => Promise<OpenedLinker>;
  host: string;
  /** 0 for any that is free. */
  port: number;
}

export interface RunningServer {
  /** Where it is. */
  url: string;
  /** Takes in nothing more, answers what is in hand, and closes the linker. */
  stop(): Promise<void>;
}

const loopback = ['localhost', '127.0.0.1', '[::1]'];
/** Milliseconds that a client may take for the head of a request. */
const headersMs = 10_000;
/**
 * Milliseconds that a connection may wait for its next request. Long: a server that is busy for as long as that closes it
 * though a request has come, and clients see a reset.
 */
const keepAliveMs = 65_000;

/** Opens the linker and listens. Throws what opening throws, and the system's error where the port is taken. */
export async function startServer({ open, host, port, ...options }: ServerOptions): Promise<RunningServer> {
  const keeper = new LinkerKeeper(open, {
    onLost() {
      app.metrics.deviceLosses.inc();
      log.warn('the device was lost; another is being opened');
    },
    onOpened: (milliseconds) => log.info('another is open', { milliseconds }),
    onFailure: (error) => log.error('opening another linker failed', { error }),
  });
  const isLocal = host === 'localhost' || host === '::1' || host.startsWith('127.');
  const hosts = isLocal && options.token === null ? [...loopback, host] : null;
  const app = createApp({ ...options, keeper, hosts });
  await keeper.start();
  try {
    const server = await listen(app.fetch, host, port, options.limits.deadlineMs);
    const { address, port: own, family } = server.address() as AddressInfo;
    const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${own}`;
    log.info('listening', { url });
    if (!isLocal && options.token === null) {
      log.warn('whoever reaches this address can change the knowledge base: requests need no token');
    }
    return {
      url,
      async stop() {
        log.info('stopping');
        const closed = new Promise((resolve) => server.close(resolve));
        await app.stop();
        server.closeIdleConnections();
        const timer = setTimeout(() => server.closeAllConnections(), 1000);
        await closed;
        clearTimeout(timer);
        await keeper.close();
        log.info('stopped');
      },
    };
  } catch (error) {
    await keeper.close();
    throw error;
  }
}

function listen(
  fetch: Parameters<typeof serve>[0]['fetch'],
  hostname: string,
  port: number,
  deadlineMs: number,
): Promise<Server> {
  const serverOptions = {
    requestTimeout: deadlineMs + headersMs,
    headersTimeout: headersMs,
    keepAliveTimeout: keepAliveMs,
  };
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname, port, serverOptions }, () => {
      server.off('error', reject);
      resolve(server);
    }) as Server;
    server.once('error', reject);
  });
}

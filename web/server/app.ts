// The routes of the server, whatever listens for it: each a few lines over the linker.

import { createHash, timingSafeEqual } from 'node:crypto';
import { getLogger } from '@logtape/logtape';
import { type Context, Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { bodyLimit } from 'hono/body-limit';
import { createMiddleware } from 'hono/factory';
import { HTTPException } from 'hono/http-exception';
import { routePath } from 'hono/route';
import { secureHeaders } from 'hono/secure-headers';
import { DeviceLostError } from '../../engine/errors.ts';
import { UsageError } from '../../files/errors.ts';
import type { LinkOptions } from '../../link/linker.ts';
import { Admission, type Limits, type Ticket } from './limits.ts';
import type { LinkerKeeper } from './linker-keeper.ts';
import { Metrics } from './metrics.ts';
import { openApiDocument, operations } from './openapi.ts';
import { page } from './page.ts';
import { parsePart, readEntity, readMentions } from './read-request.ts';
import { idSchema, nameSchema } from './schemas.ts';
import { siteRoutes } from './site.ts';

const log = getLogger(['dsmip', 'server']);

export interface AppOptions {
  keeper: LinkerKeeper;
  limits: Limits;
  /** What requests have unless they say otherwise. */
  defaults: Required<Pick<LinkOptions, 'top' | 'candidates' | 'threshold'>>;
  /** What clients must know; null where they need nothing. */
  token: string | null;
  /** Names by which the server may be called; null for any. A page elsewhere that has its own name lead here calls another. */
  hosts: readonly string[] | null;
  /** The page to show at the root; null for none. */
  site: { folder: string; files: ReadonlySet<string> } | null;
  /** The package's version. */
  version: string;
}

interface Env {
  Variables: { ticket: Ticket; signal: AbortSignal };
}

/** The server's routes, and what it counts. `stop` refuses what comes from then on. */
export interface App {
  fetch: Hono<Env>['fetch'];
  metrics: Metrics;
  /** Resolves when all that came before is answered. */
  stop(): Promise<void>;
}

export function createApp({ keeper, limits, defaults, token, hosts, site, version }: AppOptions): App {
  const admission = new Admission(limits);
  const metrics = new Metrics(admission, keeper);
  const idle = new Idle();
  const app = new Hono<Env>();

  app.use(counted(metrics));
  if (hosts) app.use(calledBy(hosts));
  if (site) app.use(siteRoutes(site.folder, site.files, token === null));
  app.use(
    secureHeaders({
      strictTransportSecurity: false,
      contentSecurityPolicy: { defaultSrc: ["'none'"], styleSrc: ["'unsafe-inline'"] },
    }),
  );
  app.get('/health', (c) => c.json({ status: 'ok' }));
  app.get('/ready', (c) => {
    const linker = idle.isStopping ? null : keeper.linker;
    const state = {
      ready: linker !== null,
      system: linker?.system ?? null,
      entities: linker?.entityCount ?? null,
    };
    return c.json(state, linker ? 200 : 503);
  });
  if (token !== null) app.use(bearerAuth({ verifyToken: (own) => isSame(own, token) }));
  app.get('/metrics', async (c) =>
    c.body(await metrics.text(), 200, { 'content-type': metrics.contentType }),
  );
  const document = openApiDocument(version, token !== null);
  app.get('/openapi.json', (c) => c.json(document));
  app.get('/docs', (c) => c.html(page(version, token !== null)));
  if (!site) app.get('/', (c) => c.redirect('docs'));

  const work = admitted(admission, limits, idle);
  const body = bodyLimit({
    maxSize: limits.bodyBytes,
    onError: () => {
      throw new HTTPException(413, { message: `the body: expected at most ${limits.bodyBytes} bytes` });
    },
  });
  app.post('/link', work, body, async (c) => {
    const { mentions, options } = await readMentions(c, readingOf(c, limits));
    const { top = defaults.top, candidates = defaults.candidates, threshold = defaults.threshold } = options;
    const { explain = false } = options;
    const signal = c.get('signal');
    const found = await keeper.use(signal, (linker) => {
      if (threshold > 0 && !linker.isCalibrated) {
        throw new UsageError(`threshold: ${linker.system} is not calibrated: it cannot tell how sure it is`);
      }
      return linker.link(mentions, { top, candidates, explain, strictImages: true, signal });
    });
    metrics.mentions.inc(mentions.length);
    const results = found.map((own) => {
      const inKnowledgeBase = own[0]?.inKnowledgeBase ?? null;
      const entities = (inKnowledgeBase ?? 1) < threshold ? [] : own;
      return { inKnowledgeBase, entities: entities.map(({ inKnowledgeBase: _, ...entity }) => entity) };
    });
    return c.json({ results });
  });
  app.get('/entities', work, async (c) => {
    const name = parsePart('request: name', nameSchema, c.req.query('name'));
    return c.json({ entities: await keeper.use(c.get('signal'), (linker) => linker.named(name)) });
  });
  app.get('/entities/:id', work, async (c) => {
    const entity = await keeper.use(c.get('signal'), (linker) => linker.entity(idOf(c)));
    if (!entity) throw new HTTPException(404, { message: 'there is no such entity' });
    return c.json(entity);
  });
  app.put('/entities/:id', work, body, async (c) => {
    const entity = await readEntity(c, idOf(c), readingOf(c, limits));
    const signal = c.get('signal');
    const outcome = await keeper.use(signal, (linker) => linker.put(entity, { signal }));
    metrics.changes.inc({ outcome });
    return c.json({ qid: entity.qid, outcome }, outcome === 'created' ? 201 : 200);
  });
  app.delete('/entities/:id', work, async (c) => {
    const [qid, signal] = [idOf(c), c.get('signal')];
    const wasThere = await keeper.use(signal, (linker) => linker.delete(qid, { signal }));
    if (!wasThere) throw new HTTPException(404, { message: 'there is no such entity' });
    metrics.changes.inc({ outcome: 'deleted' });
    return c.body(null, 204);
  });

  for (const [path, methods] of Object.entries(operations)) {
    const allow = Object.keys(methods)
      .map((method) => method.toUpperCase())
      .join(', ');
    app.all(path.replace('{id}', ':id'), () => {
      const res = new Response(null, { status: 405, headers: { allow } });
      throw new HTTPException(405, { res, message: `expected the method ${allow}` });
    });
  }
  app.notFound((c) => c.json({ error: 'there is no such page' }, 404));
  app.onError((error, c) => answerTo(error, c));
  return { fetch: app.fetch, metrics, stop: () => idle.stop() };
}

function idOf(c: Context): string {
  return parsePart('request: id', idSchema, c.req.param('id'));
}

function readingOf(c: Context<Env>, limits: Limits) {
  return { limits, ticket: c.get('ticket'), signal: c.get('signal') };
}

/** Whether a token is the right one; takes as long for any wrong one. */
function isSame(own: string, token: string): boolean {
  const [a, b] = [own, token].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a!, b!);
}

/** Requests that are not answered yet. */
class Idle {
  isStopping = false;
  #count = 0;
  #wake: (() => void) | null = null;

  enter(): void {
    this.#count++;
  }

  leave(): void {
    this.#count--;
    if (this.#count === 0) this.#wake?.();
  }

  stop(): Promise<void> {
    this.isStopping = true;
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.#count === 0) resolve();
    });
  }
}

/** Lets a request in where there is room, and gives it its deadline. */
function admitted(admission: Admission, limits: Limits, idle: Idle) {
  return createMiddleware<Env>(async (c, next) => {
    if (idle.isStopping) {
      const res = new Response(null, { status: 503, headers: { 'retry-after': '1', connection: 'close' } });
      throw new HTTPException(503, { res, message: 'the server stops' });
    }
    const ticket = admission.enter();
    const end = endOf(c.req.raw, limits.deadlineMs);
    idle.enter();
    try {
      if (c.req.raw.body) {
        const length = Number(c.req.header('content-length') ?? limits.bodyBytes);
        ticket.take({ bytes: Math.min(length, limits.bodyBytes) });
      }
      c.set('ticket', ticket);
      c.set('signal', end.signal);
      await next();
    } finally {
      end.clear();
      ticket.giveBack();
      idle.leave();
    }
  });
}

/** Aborted at the deadline, or when the client goes away. Cleared, it keeps nothing alive. */
function endOf(request: Request, deadlineMs: number): { signal: AbortSignal; clear(): void } {
  const end = new AbortController();
  const onAbort = () => end.abort(new ClientLeftError('the client went away'));
  request.signal.addEventListener('abort', onAbort);
  const timer = setTimeout(() => end.abort(new DeadlineError('the deadline came first')), deadlineMs);
  return {
    signal: end.signal,
    clear() {
      clearTimeout(timer);
      request.signal.removeEventListener('abort', onAbort);
    },
  };
}

class DeadlineError extends Error {}
/** Nobody waits for the answer. */
class ClientLeftError extends Error {}

/** Counts and logs requests: no texts, no tokens, no addresses of clients. */
function counted(metrics: Metrics) {
  return createMiddleware<Env>(async (c, next) => {
    const start = performance.now();
    await next();
    const milliseconds = performance.now() - start;
    const [method, route] = [c.req.method, routeOf(c)];
    metrics.requests.inc({ method, route, status: c.res.status });
    metrics.seconds.observe({ method, route }, milliseconds / 1000);
    log.info('request', {
      method,
      route,
      status: c.res.status,
      milliseconds: Math.round(milliseconds),
    });
  });
}

/** The path of the route, not of the request: there are only so many. */
function routeOf(c: Context): string {
  const path = routePath(c, -1).replace(':id', '{id}');
  return path in operations ? path : 'none';
}

/** Refuses requests to another name than the server's. */
function calledBy(hosts: readonly string[]) {
  return createMiddleware(async (c, next) => {
    const { hostname } = new URL(c.req.url);
    if (!hosts.includes(hostname)) throw new HTTPException(403, { message: `this is not ${hostname}` });
    await next();
  });
}

function answerTo(error: unknown, c: Context): Response {
  if (error instanceof HTTPException) {
    const { headers } = error.getResponse();
    const extra = [...headers].filter(([name]) => !['content-type', 'content-length'].includes(name));
    const message = error.message === '' ? `status ${error.status}` : error.message;
    return c.json({ error: message }, error.status, Object.fromEntries(extra));
  }
  if (error instanceof UsageError) return c.json({ error: error.message }, 422);
  if (error instanceof DeadlineError) return c.json({ error: error.message }, 504);
  if (error instanceof ClientLeftError) return c.json({ error: error.message }, 408);
  if (error instanceof DeviceLostError) {
    return c.json({ error: 'the device was lost' }, 503, { 'retry-after': '1' });
  }
  log.error('request failed', { method: c.req.method, route: routeOf(c), error });
  return c.json({ error: 'an error of the server; its log says more' }, 500);
}

// The page at the server's root: the files of a site that `dsmip demo` wrote, under a policy that lets its scripts run, and
// asks nothing of other hosts.

import { readdir } from 'node:fs/promises';
import { serveStatic } from '@hono/node-server/serve-static';
import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { fileError, UsageError } from '../../files/errors.ts';
import { serverMark } from '../page/site.ts';

/** Lists the files of a site, by their paths from the server's root. Throws UsageError for a folder that is none. */
export async function siteFiles(folder: string): Promise<ReadonlySet<string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error) => {
    throw fileError(folder, error);
  });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) =>
      `${parentPath}/${name}`.replaceAll('\\', '/').slice(folder.replace(/\/+$/, '').length),
    );
  if (!files.includes('/site.json'))
    throw new UsageError(`${folder}: no site.json: expected what dsmip demo writes`);
  return new Set(['/', ...files]);
}

/** Answers requests for the site's files, and passes on all others. `links`: whether the page may ask this server to link. */
export function siteRoutes(folder: string, files: ReadonlySet<string>, links: boolean): MiddlewareHandler {
  const serve = serveStatic({ root: folder });
  const headers = secureHeaders({
    strictTransportSecurity: false,
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      imgSrc: ["'self'", 'blob:', 'data:'],
      objectSrc: ["'none'"],
    },
  });
  return async (c, next) => {
    const isOwn = ['GET', 'HEAD'].includes(c.req.method) && files.has(new URL(c.req.url).pathname);
    if (!isOwn) return next();
    const answer = await serve(c, async () => {});
    if (answer) c.res = answer;
    if (links) c.header(serverMark, 'yes');
    await headers(c, async () => {});
    return c.res;
  };
}

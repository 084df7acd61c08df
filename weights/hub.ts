// Files of the Hugging Face hub through its own client: what they must be (size, checksum) and their bytes from any
// place on. Every failure is a WeightsError, an InterruptedError where trying again may mend it.

import { downloadFile, fileDownloadInfo, pathsInfo } from '@huggingface/hub';
import { MissingFileError, oneLine, WeightsError } from '../files/errors.ts';
import { chunksOf, type HttpOptions, rangeOf, request } from '../files/http/http.ts';
import { type RetryOptions, withRetries } from '../files/http/retry.ts';
import type { RemoteFile } from './download-file.ts';
import type { HubFile } from './hub-models.ts';

export interface HubOptions extends HttpOptions, RetryOptions {
  /** Address of a mirror. Default: the client's. */
  endpoint?: string;
}

/** Asks the hub for a file's size and checksum. Throws WeightsError when it has none such. */
export async function findOnHub(file: HubFile, options: HubOptions = {}): Promise<RemoteFile> {
  const { repo, path, revision } = file;
  const name = `${repo}/${path}`;
  const where = { repo: { type: 'model' as const, name: repo }, revision, ...hubUrl(options) };
  const ask = <T>(what: (fetcher: typeof fetch) => Promise<T>) =>
    withRetries(() => answered(name, what, options), options).catch((error) => {
      if (!(error instanceof MissingFileError)) throw error;
      throw new WeightsError(`${repo}: the hub has no such repository with a revision '${revision}'`);
    });
  const found = await ask((fetcher) => pathsInfo({ ...where, paths: [path], fetch: fetcher }));
  const about = checkAnswer(file, found);
  const info = await ask((fetcher) => fileDownloadInfo({ ...where, path, fetch: fetcher }));
  if (info?.size !== about.size) {
    throw new WeightsError(
      `${name}: the hub says ${about.size} bytes in one place, ${info?.size} in another`,
    );
  }
  return {
    name,
    ...about,
    async *bytes(first) {
      // The client's stream reports failures as text: what happened is kept here.
      let failure: unknown = null;
      const fetcher = checkedFetch(options, about.size);
      const watched: typeof fetch = (input, init) =>
        fetcher(input, init).catch((error) => {
          failure = error;
          throw error;
        });
      // Xet, the hub's own protocol, has no answer to mirrors and to a file that is there in part.
      const blob = await downloadFile({ ...where, path, downloadInfo: info, xet: false, fetch: watched });
      try {
        yield* chunksOf(name, blob!.slice(first).stream(), options);
      } catch (error) {
        throw failure ?? error;
      }
    },
  };
}

function hubUrl({ endpoint }: HubOptions): { hubUrl?: string } {
  return endpoint === undefined ? {} : { hubUrl: endpoint.replace(/\/+$/, '') };
}

/** What the hub answers; the client's own complaints about an answer become WeightsErrors. */
async function answered<T>(
  name: string,
  ask: (fetcher: typeof fetch) => Promise<T>,
  options: HubOptions,
): Promise<T> {
  try {
    return await ask(checkedFetch(options));
  } catch (error) {
    if (error instanceof WeightsError) throw error;
    throw new WeightsError(`${name}: the hub's answer makes no sense (${oneLine((error as Error).message)})`);
  }
}

/** Bytes of the hub's longest answer about files; it is read as a whole. */
const mostAnswerBytes = 2 ** 24;

/** The answer with a body that ends in an error where it is too long. */
function bounded(url: string, response: Response): Response {
  let length = 0;
  const counter = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      length += chunk.length;
      if (length > mostAnswerBytes) {
        throw new WeightsError(`${url}: an answer of more than ${mostAnswerBytes} bytes`);
      }
      controller.enqueue(chunk);
    },
  });
  const { status, headers, body } = response;
  const answer = new Response(body?.pipeThrough(counter) ?? null, { status, headers });
  return Object.defineProperty(answer, 'url', { value: response.url });
}

/** fetch that throws our errors, bounds answers about files, and holds an answer against the range that was asked for, in a file of `size` bytes. */
function checkedFetch(options: HubOptions, size?: number): typeof fetch {
  return async (input, init = {}) => {
    const url = input instanceof Request ? input.url : `${input}`;
    const response = await request(url, init, options);
    const asked = /^bytes=(\d+)-/.exec(new Headers(init.headers).get('range') ?? '');
    if (size === undefined) return bounded(url, response);
    if (!asked) return response;
    const range = await rangeOf(url, response);
    if (range.first === Number(asked[1]) && range.total === size) return response;
    throw new WeightsError(
      `${url}: asked for bytes from ${asked[1]} on of ${size}, the server sends ` +
        `${range.first}-${range.end - 1} of ${range.total}`,
    );
  };
}

/** Size and checksum from the hub's list; large files have a SHA-256 there, small ones git's SHA-1. */
function checkAnswer(
  { repo, path, revision, sha256 }: HubFile,
  found: Awaited<ReturnType<typeof pathsInfo>>,
): Pick<RemoteFile, 'size' | 'checksum'> {
  const entry = Array.isArray(found) ? found.find((one) => one?.path === path) : undefined;
  if (!entry) {
    const hint = path.endsWith('.safetensors')
      ? '; conversions lie in pull requests, whose revisions are refs/pr/N'
      : '';
    throw new WeightsError(`${repo}: has no ${path} at revision ${revision}${hint}`);
  }
  const { size, oid, lfs } = entry;
  const checksum = lfs
    ? ({ kind: 'sha256', hex: `${lfs.oid}` } as const)
    : ({ kind: 'git', hex: `${oid}` } as const);
  const length = checksum.kind === 'sha256' ? 64 : 40;
  if (!Number.isSafeInteger(size) || size < 0 || !new RegExp(`^[0-9a-f]{${length}}$`).test(checksum.hex)) {
    throw new WeightsError(`${repo}/${path}: the hub does not say its size and checksum`);
  }
  if (sha256 !== undefined && checksum.hex !== sha256) {
    throw new WeightsError(`${repo}/${path}: expected the SHA-256 ${sha256}, the hub has ${checksum.hex}`);
  }
  return { size, checksum };
}

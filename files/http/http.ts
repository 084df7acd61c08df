// Ranges of files over HTTP with plain `fetch`: asks, checks what the server says it sends, hands out the body. Every
// failure is a WeightsError; those that trying again may mend are InterruptedErrors. Runs in browsers too.

import { InterruptedError, MissingFileError, oneLine, WeightsError } from '../errors.ts';
import { joinedBytes } from '../joined-bytes.ts';

export interface HttpOptions {
  fetch?: typeof fetch;
  /** Milliseconds without a byte after which a connection counts as dropped. Default 60,000. */
  stallMs?: number;
}

/** What an answer says of itself, from its Content-Range. */
export interface RangeAnswer {
  /** First byte and last byte + 1 of what is sent. */
  first: number;
  end: number;
  /** Length of the whole file. */
  total: number;
  /** The version of the file, where the server names one. */
  etag: string | null;
}

/** Statuses of a server that is busy or failing for now. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Fetches a URL; `init` is fetch's. Throws MissingFileError, InterruptedError, WeightsError unless the status is 2xx or 416. */
export async function request(
  url: string,
  init: RequestInit,
  { fetch: fetcher = fetch, stallMs = 60_000 }: HttpOptions = {},
): Promise<Response> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), stallMs);
  let response: Response;
  try {
    response = await fetcher(url, { ...init, signal: controller.signal });
  } catch (error) {
    const reason = controller.signal.aborted ? `no answer for ${stallMs / 1000} s` : reasonOf(error);
    throw new InterruptedError(`${url}: cannot be reached (${reason})`);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok || response.status === 416) return response;
  await discard(response);
  const { status } = response;
  if (status === 404 || status === 410) throw new MissingFileError(`${url}: no such file (status ${status})`);
  const Kind = passing.has(status) ? InterruptedError : WeightsError;
  throw new Kind(`${url}: the server answered with status ${status}`);
}

/** The range that a 206 answer carries. Throws WeightsError for what is no such answer, and drops its body then. */
export async function rangeOf(url: string, response: Response): Promise<RangeAnswer> {
  const refuse = async (what: string): Promise<never> => {
    await discard(response);
    throw new WeightsError(`${url}: ${what}`);
  };
  if (response.status !== 206)
    return refuse('the server does not serve ranges of files, which streaming needs');
  const said = response.headers.get('content-range');
  if (said === null) return refuse('the server does not say which range it sends (Content-Range)');
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(said);
  const [first, last, total] = (match ?? []).slice(1).map(Number) as [number, number, number];
  if (!match || first > last || last >= total) return refuse(`bad Content-Range '${oneLine(said)}'`);
  return { first, end: last + 1, total, etag: response.headers.get('etag') };
}

/** The whole body. `check` is given the bytes that came so far, and throws for too many. Throws as `chunksOf` does. */
export async function wholeBody(
  url: string,
  { body }: Response,
  check: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of chunksOf(url, body)) {
    size += chunk.length;
    check(size);
    chunks.push(chunk);
  }
  return joinedBytes(chunks);
}

/** The body's bytes as they come. Throws InterruptedError when they stop coming; stopping early drops the connection. */
export async function* chunksOf(
  url: string,
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  { stallMs = 60_000 }: HttpOptions = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = body?.getReader();
  if (!reader) return;
  let isDone = false;
  try {
    for (;;) {
      const { done, value } = await orStall(reader.read(), stallMs);
      isDone = done;
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw error instanceof WeightsError
      ? error
      : new InterruptedError(`${url}: the connection broke off (${reasonOf(error)})`);
  } finally {
    if (!isDone) reader.cancel().catch(() => {});
  }
}

/** Lets go of an answer that is not read. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/** fetch says little itself; what happened is in the cause. */
export function reasonOf(error: unknown): string {
  const { message = String(error), cause } = (error ?? {}) as { message?: string; cause?: unknown };
  const { code, message: deeper } = (cause ?? {}) as { code?: string; message?: string };
  return oneLine(code ?? (deeper || message));
}

async function orStall<T>(promise: Promise<T>, stallMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stall = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no byte for ${stallMs / 1000} s`)), stallMs);
  });
  try {
    return await Promise.race([promise, stall]);
  } finally {
    clearTimeout(timer);
  }
}

// A file on a server as a source of ranges, for browsers and for loading without a copy on disk. The server must
// serve ranges; one that drops connections is asked again, one whose file changes meanwhile is an error.

import { allocate, type ByteSource } from '../byte-source.ts';
import { InterruptedError, WeightsError } from '../errors.ts';
import { chunksOf, discard, type HttpOptions, type RangeAnswer, rangeOf, request } from './http.ts';
import { type RetryOptions, withRetries } from './retry.ts';

interface HttpSourceOptions extends HttpOptions, RetryOptions {
  /** Small reads fetch so many bytes at once, for the reads that follow. Default 4 MiB. */
  aheadBytes?: number;
  /**
   * The reads are small and in no order. A file of at most `aheadBytes` bytes is then fetched whole, once; of a larger one a
   * read fetches little.
   */
  scattered?: boolean;
}

/** Bytes that a scattered small read fetches. */
const scatteredBytes = 2 ** 16;
/** Bytes of the first request: enough for the header of most files. */
const firstBytes = 2 ** 17;
/** Bytes of one request; a longer read asks several times. */
const mostBytesPerRequest = 2 ** 26;

/** Opens the file at an http or https address. Throws WeightsError, one line with the address. */
export async function openUrl(url: string, options: HttpSourceOptions = {}): Promise<ByteSource> {
  const { aheadBytes = 2 ** 22, scattered = false } = options;
  const start = await withRetries((progressed) => fetchStart(url, options, progressed), options);
  let window = { first: 0, bytes: start.bytes };
  const { total: size, etag } = start;
  const isWhole = scattered && size <= aheadBytes;
  const pieceBytes = scattered ? Math.min(scatteredBytes, aheadBytes) : aheadBytes;
  let whole: Promise<Uint8Array<ArrayBuffer>> | null = null;

  const fetchRange = async (offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
    const bytes = allocate(url, length);
    for (let first = 0; first < length; first += mostBytesPerRequest) {
      const part = bytes.subarray(first, first + mostBytesPerRequest);
      let done = 0;
      await withRetries(async () => {
        const wanted = { first: offset + first + done, end: offset + first + part.length, total: size, etag };
        await fill(url, wanted, part.subarray(done), options, (count) => {
          done += count;
        });
      }, options);
    }
    return bytes;
  };

  return {
    name: url,
    size,
    async read(offset, length) {
      if (length === 0) return new Uint8Array(0);
      if (!isWhole && length >= pieceBytes) return fetchRange(offset, length);
      if (offset < window.first || offset + length > window.first + window.bytes.length) {
        if (isWhole) {
          // One that failed is asked for again.
          whole ??= fetchRange(0, size).finally(() => {
            whole = null;
          });
          window = { first: 0, bytes: await whole };
        } else {
          window = { first: offset, bytes: await fetchRange(offset, Math.min(pieceBytes, size - offset)) };
        }
      }
      return window.bytes.slice(offset - window.first, offset - window.first + length);
    },
    close: async () => {},
  };
}

/** The beginning of the file, its length and its version. */
async function fetchStart(
  url: string,
  options: HttpSourceOptions,
  progressed: () => void,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; total: number; etag: string | null }> {
  const response = await request(url, { headers: { range: `bytes=0-${firstBytes - 1}` } }, options);
  if (response.status === 416) {
    await discard(response);
    return { bytes: new Uint8Array(0), total: 0, etag: null };
  }
  const answer = await rangeOf(url, response);
  const expected = Math.min(firstBytes, answer.total);
  if (answer.first !== 0 || answer.end !== expected) {
    await discard(response);
    throw new WeightsError(
      `${url}: asked for bytes 0-${expected - 1}, the server sends ${answer.first}-${answer.end - 1}`,
    );
  }
  const bytes = new Uint8Array(expected);
  await receive(url, response, bytes, options, () => {});
  progressed();
  return { bytes, total: answer.total, etag: answer.etag };
}

/** Fetches bytes wanted.first..wanted.end-1 into `bytes`, telling `received` of each part that has come. */
async function fill(
  url: string,
  wanted: RangeAnswer,
  bytes: Uint8Array<ArrayBuffer>,
  options: HttpSourceOptions,
  received: (count: number) => void,
): Promise<void> {
  const range = `bytes=${wanted.first}-${wanted.end - 1}`;
  const response = await request(url, { headers: { range } }, options);
  const found = response.status === 416 ? null : await rangeOf(url, response);
  const isChanged =
    !found || found.total !== wanted.total || (wanted.etag !== null && found.etag !== wanted.etag);
  if (isChanged) {
    await discard(response);
    throw new WeightsError(`${url}: the file changed on the server while it was being read`);
  }
  if (found.first !== wanted.first || found.end !== wanted.end) {
    await discard(response);
    throw new WeightsError(`${url}: asked for ${range}, the server sends ${found.first}-${found.end - 1}`);
  }
  await receive(url, response, bytes, options, received);
}

/** Reads a body that must fill `bytes` exactly. */
async function receive(
  url: string,
  response: Response,
  bytes: Uint8Array<ArrayBuffer>,
  options: HttpSourceOptions,
  received: (count: number) => void,
): Promise<void> {
  let done = 0;
  for await (const chunk of chunksOf(url, response.body, options)) {
    if (chunk.length > bytes.length - done) {
      throw new WeightsError(`${url}: the server sends more bytes than it said`);
    }
    bytes.set(chunk, done);
    done += chunk.length;
    received(chunk.length);
  }
  if (done < bytes.length) {
    throw new InterruptedError(`${url}: the connection ended after ${done} of ${bytes.length} bytes`);
  }
}

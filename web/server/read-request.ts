// Requests as the server takes them: a body of a known form within its limits, texts that fit, images as bytes. Whatever a
// client says an image is, nothing is opened for it: neither a path nor an address.

import { Buffer } from 'node:buffer';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { GenericSchema, InferOutput } from 'valibot';
import { attributesOf } from '../../data/entity-lines.ts';
import { imageSize } from '../../data/images/image-size.ts';
import { InputError, oneLine } from '../../files/errors.ts';
import { parseJson } from '../../files/json/json-fields.ts';
import { parseBySchema } from '../../files/json/schema.ts';
import { decodeText } from '../../files/read-text.ts';
import type { EntityToPut, LinkMention } from '../../link/linker.ts';
import type { Limits, Ticket } from './limits.ts';
import { unlessAborted } from './linker-keeper.ts';
import {
  type EntityRequest,
  entityRequest,
  type LinkRequest,
  mentionRequest,
  mentionsRequest,
} from './schemas.ts';

/** What a request is read with. */
export interface Reading {
  limits: Limits;
  ticket: Ticket;
  signal: AbortSignal;
}

/** A request to link. */
export interface MentionsToLink {
  mentions: LinkMention[];
  options: Pick<LinkRequest, 'top' | 'candidates' | 'threshold' | 'explain'>;
}

/** A part of a request as the schema's output. Throws HTTPException 422, one line with the field, for what is wrong. */
export function parsePart<const S extends GenericSchema>(
  part: string,
  schema: S,
  value: unknown,
): InferOutput<S> {
  try {
    return parseBySchema(part, schema, value);
  } catch (error) {
    if (error instanceof InputError) throw new HTTPException(422, { message: error.message });
    throw error;
  }
}

/**
 * The mentions of a request: JSON of one or of many, or a form with a mention's fields. Throws HTTPException for what is
 * wrong with it.
 */
export async function readMentions(c: Context, reading: Reading): Promise<MentionsToLink> {
  const body = await readBody(c, reading, ['top', 'candidates', 'threshold']);
  const { value } = body;
  const isMany = typeof value === 'object' && value !== null && 'mentions' in value;
  const request: LinkRequest = isMany ? parsePart('request', mentionsRequest, value) : ofOne(value);
  const { mentions, ...options } = request;
  reading.ticket.take({ mentions: mentions.length });
  const taken = new ImageReader(reading);
  return {
    mentions: mentions.map(({ word, sentence, image }, i) => ({
      word,
      sentence,
      image: body.image ?? taken.decode(isMany ? `mentions[${i}].image` : 'image', image ?? null),
    })),
    options,
  };
}

/** The entity of a request, JSON or a form. Throws HTTPException for what is wrong with it. */
export async function readEntity(c: Context, qid: string, reading: Reading): Promise<EntityToPut> {
  const body = await readBody(c, reading, []);
  const request: EntityRequest = parsePart('request', entityRequest, body.value);
  const { name, aliases } = request;
  const image = body.image ?? new ImageReader(reading).decode('image', request.image ?? null);
  return { qid, name, aliases, attributes: attributesOf(request), image };
}

function ofOne(value: unknown): LinkRequest {
  const { word, sentence, image, ...options } = parsePart('request', mentionRequest, value);
  return { mentions: [{ word, sentence, image }], ...options };
}

interface Body {
  value: unknown;
  /** The file of a form. */
  image: Uint8Array | null;
}

/** `numbers`: fields of a form that are numbers. */
async function readBody(c: Context, reading: Reading, numbers: readonly string[]): Promise<Body> {
  const { signal } = reading;
  const type = (c.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (type === 'application/json') {
    const bytes = await arrived(c.req.arrayBuffer(), signal);
    return { value: parseBody(bytes), image: null };
  }
  if (type !== 'multipart/form-data') {
    throw new HTTPException(415, { message: 'expected application/json or multipart/form-data' });
  }
  const form = await arrived(c.req.formData(), signal);
  return readForm(form, numbers, new ImageReader(reading));
}

/** A body once it is there. Throws HTTPException: 408 where it does not come in time, 400 where it cannot be read. */
async function arrived<T>(body: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await unlessAborted(body, signal);
  } catch (error) {
    if (signal.aborted) throw new HTTPException(408, { message: 'the body did not come in time' });
    if (error instanceof HTTPException) throw error;
    throw new HTTPException(400, {
      message: `the body cannot be read: ${oneLine((error as Error).message)}`,
    });
  }
}

function parseBody(bytes: ArrayBuffer): unknown {
  try {
    const name = 'the body is not JSON';
    return parseJson(name, decodeText(name, new Uint8Array(bytes)));
  } catch (error) {
    throw new HTTPException(400, { message: oneLine((error as Error).message) });
  }
}

/** The fields of a form: texts, numbers, `aliases` as often as there are some, and `image`, a file. */
async function readForm(form: FormData, numbers: readonly string[], images: ImageReader): Promise<Body> {
  const value: Record<string, unknown> = {};
  let image: Uint8Array | null = null;
  for (const name of new Set(form.keys())) {
    const all = form.getAll(name);
    const [first] = all;
    if (name === 'image' && all.length === 1 && first instanceof File) {
      if (first.size > 0) image = images.check('image', new Uint8Array(await first.arrayBuffer()));
      continue;
    }
    if (all.some((each) => typeof each !== 'string') || (all.length > 1 && name !== 'aliases')) {
      throw wrong(oneLine(name), 'expected one text; an image is one file');
    }
    if (name === 'aliases') value[name] = all;
    else value[name] = numbers.includes(name) && first !== '' ? Number(first) : first;
  }
  return { value, image };
}

/** Takes images in as bytes, as long as their sizes allow it. */
class ImageReader {
  readonly #reading: Reading;
  #pixels = 0;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /** The bytes of base64 or a data URL; null for null and ''. */
  decode(field: string, text: string | null): Uint8Array | null {
    if (text === null || text === '') return null;
    const base64 = text.replace(/^data:[a-z]+\/[-+.\w]+;base64,/i, '');
    if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
      throw wrong(field, 'expected base64 or a data URL');
    }
    return this.check(field, new Uint8Array(Buffer.from(base64, 'base64')));
  }

  /** Throws HTTPException: 413 for too many bytes or pixels, 422 for no image. */
  check(field: string, bytes: Uint8Array): Uint8Array {
    const { limits, ticket } = this.#reading;
    if (bytes.length > limits.imageBytes) {
      throw tooLarge(`${field}: ${bytes.length} bytes, expected at most ${limits.imageBytes}`);
    }
    const pixels = pixelsOf(field, bytes);
    this.#pixels += pixels;
    if (this.#pixels > limits.pixels) {
      throw tooLarge(`${field}: ${this.#pixels} pixels in the request, expected at most ${limits.pixels}`);
    }
    ticket.take({ pixels });
    return bytes;
  }
}

function pixelsOf(field: string, bytes: Uint8Array): number {
  try {
    const { width, height } = imageSize(bytes);
    return width * height;
  } catch (error) {
    throw wrong(field, `expected an image, found ${oneLine((error as Error).message)}`);
  }
}

function wrong(field: string, what: string): HTTPException {
  return new HTTPException(422, { message: `request: ${field}: ${what}` });
}

function tooLarge(message: string): HTTPException {
  return new HTTPException(413, { message });
}

// Requests to the server that are wrong in every way that we could think of, made by fast-check.

import fc from 'fast-check';
import jpeg from 'jpeg-js';

export interface WrongRequest {
  method: string;
  path: string;
  type: string | null;
  body: string | Uint8Array<ArrayBuffer> | null;
  /** Whether it cannot be right by chance, as a picture with a changed byte can. */
  isWrong: boolean;
}

const picture = jpeg.encode(
  { data: new Uint8Array(4 * 16 * 16).map((_, i) => (i * 31) % 256), width: 16, height: 16 },
  90,
).data;
export const pictureBytes = new Uint8Array(picture);

const json = 'application/json';
const mention = { word: 'mouse', sentence: 'a small rodent' };
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

const noText = fc.oneof(
  fc.constantFrom('', '  ', '\n', null, 7, true, [], {}, ['mouse'], 'x'.repeat(20_000)),
  fc.integer(),
  fc.array(fc.string(), { maxLength: 3 }),
);
const noImage = fc.oneof(
  fc.constantFrom<unknown>(
    7,
    {},
    [],
    'https://example.com/a.jpg',
    'file:///etc/passwd',
    '/etc/passwd',
    '../../package.json',
    'data:image/jpeg;base64,',
    'data:text/html,<p>',
    'AAAA',
    'a',
    '====',
  ),
  fc.uint8Array({ minLength: 1, maxLength: 60 }).map(base64),
  fc.string({ minLength: 1 }).map((text) => `${text}!`),
  // Whole heads of pictures that are too large, and pictures that end early.
  fc.constantFrom(base64(pngHead(100_000, 100_000)), base64(pngHead(0, 4)), base64(pngHead(9, 9))),
  fc.integer({ min: 1, max: picture.length - 3 }).map((length) => base64(picture.subarray(0, length))),
);
const noCount = fc.constantFrom<unknown>(-1, 1.5, 1e12, 'five', null, {}, '');

/** An object with one field of another that is wrong. */
function withWrong(right: object, wrong: Readonly<Record<string, fc.Arbitrary<unknown>>>) {
  return fc
    .oneof(...Object.entries(wrong).map(([name, value]) => fc.tuple(fc.constant(name), value)))
    .map(([name, value]) => ({ ...right, [name]: value }));
}

const noMention = withWrong(mention, {
  word: noText,
  sentence: noText,
  image: noImage,
  other: fc.anything().map(() => 1),
});
const noLink = fc.oneof(
  noMention,
  withWrong(mention, { top: fc.oneof(noCount, fc.constant(0)), candidates: noCount }),
  withWrong(mention, { threshold: fc.constantFrom<unknown>(-0.1, 1.1, 'x', null) }),
  noMention.map((wrong) => ({ mentions: [mention, wrong] })),
  fc.constantFrom<unknown>(
    { mentions: [] },
    { mentions: mention },
    { mentions: Array(2000).fill(mention) },
    { mentions: [mention], word: 'x' },
    { word: 'mouse' },
    { sentence: 'x' },
  ),
);
const noEntity = withWrong(
  { name: 'mouse' },
  {
    name: noText,
    aliases: fc.constantFrom<unknown>('x', [''], [7], {}, Array(1000).fill('x')),
    description: fc.constantFrom<unknown>(7, [], 'x'.repeat(20_000), null),
    attributes: fc.constantFrom<unknown>(7, { a: 1 }, [], null),
    image: noImage,
    qid: fc.constant('Q1'),
  },
);

const targets = fc.constantFrom(['POST', '/link'] as const, ['PUT', '/entities/F1'] as const);
const anyJson = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.constantFrom<unknown>(null, 0, 'text', [], [[]], { __proto__: 1 }, { constructor: {} }),
);
const noJson = fc.oneof(
  fc.string(),
  fc.constantFrom('', '{', '{"word":', `${'['.repeat(50_000)}`, '{"word":"a","sentence":"b"} x', '\ufeff{}'),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => new Uint8Array(bytes)),
);

/** The parts of a form, as bytes, whether they belong there or not. */
const noForm = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.constantFrom('word', 'sentence', 'image', 'top', 'other', 'mentions', ''),
        fc.constantFrom('', '; filename="a.jpg"'),
        fc.oneof(fc.constantFrom('', 'mouse', '-1', 'x'.repeat(600)), fc.string()),
      ),
      { maxLength: 4 },
    ),
    fc.constantFrom('--B--\r\n', '--B', '', '--other--'),
  )
  .map(([parts, end]) => {
    const text = parts.map(
      ([name, file, value]) =>
        `--B\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n${value}\r\n`,
    );
    return `${text.join('')}${end}`;
  });

const isLink = (value: unknown) =>
  typeof value === 'object' && value !== null && 'word' in value && 'sentence' in value;
const isEntity = (value: unknown) => typeof value === 'object' && value !== null && 'name' in value;

/** One wrong request. */
export const wrongRequest: fc.Arbitrary<WrongRequest> = fc.oneof(
  noLink.map((body) => request('POST', '/link', json, JSON.stringify(body))),
  noEntity.map((body) => request('PUT', '/entities/F1', json, JSON.stringify(body))),
  fc
    .tuple(targets, anyJson)
    .filter(([, value]) => !isLink(value) && !isEntity(value))
    .map(([[method, path], value]) => request(method, path, json, JSON.stringify(value))),
  fc
    .tuple(targets, noJson)
    .map(([[method, path], body]) => ({ ...request(method, path, json, body), isWrong: !isJson(body) })),
  fc
    .tuple(targets, fc.constantFrom(null, 'text/plain', 'application/x-www-form-urlencoded', 'json', ';'))
    .map(([[method, path], type]) => request(method, path, type, JSON.stringify(mention))),
  fc
    .tuple(targets, fc.constantFrom('multipart/form-data; boundary=B', 'multipart/form-data'), noForm)
    .map(([[method, path], type, body]) => ({ ...request(method, path, type, body), isWrong: false })),
  fc
    .tuple(
      fc.constantFrom('GET', 'PUT', 'DELETE'),
      fc.constantFrom('%00', '%0a', '%20', 'x'.repeat(300), '%7f%7f', 'nobody-of-this-id', '%zz', '%ff'),
    )
    .map(([method, id]) => {
      const body = method === 'PUT' ? '{}' : null;
      return request(method, `/entities/${id}`, body === null ? null : json, body);
    }),
  fc
    .constantFrom('/entities', '/entities?name=', '/entities?name=%20', `/entities?name=${'x'.repeat(600)}`)
    .map((path) => request('GET', path, null, null)),
  fc
    .tuple(
      fc.constantFrom('POST', 'PUT', 'DELETE', 'PATCH'),
      fc.constantFrom('/health', '/ready', '/metrics', '/openapi.json', '/docs', '/entities', '/nothing'),
    )
    .map(([method, path]) => request(method, path, json, method === 'DELETE' ? null : '{}')),
  fc
    .constantFrom('/nothing', '/link/', '/entities/', '/entities/a/b', '//', '/%2e%2e/package.json', '/link')
    .map((path) => request('GET', path, null, null)),
  // A byte of a picture is another: some decode all the same.
  fc.tuple(fc.nat(picture.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, change]) => {
    const bytes = new Uint8Array(picture);
    bytes[at]! ^= change;
    const body = JSON.stringify({ ...mention, image: base64(bytes) });
    return { ...request('POST', '/link', json, body), isWrong: false };
  }),
);

function request(
  method: string,
  path: string,
  type: string | null,
  body: string | Uint8Array<ArrayBuffer> | null,
): WrongRequest {
  return { method, path, type, body, isWrong: true };
}

/** As the server reads it: without a byte order mark. */
function isJson(body: string | Uint8Array): boolean {
  try {
    const value = JSON.parse(
      typeof body === 'string' ? body.replace(/^\ufeff/, '') : new TextDecoder().decode(body),
    );
    return isLink(value) || isEntity(value);
  } catch {
    return false;
  }
}

/** A PNG of this size with nothing behind its head. */
function pngHead(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(40);
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  const view = new DataView(bytes.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  bytes.set([8, 2], 24);
  return bytes;
}

// Images in every form that a caller has, as the bytes of their file: bounded, and from nothing that has no end. Runs in
// browsers too, where a path is no image.

import { openFile } from '../../files/byte-source.ts';
import { InputError, oneLine } from '../../files/errors.ts';
import { reasonOf, request, wholeBody } from '../../files/http/http.ts';

/** The path of a file, the bytes of one, a Blob, a URL (http, https, file, data, blob), or null for no image. */
export type ImageInput = string | Uint8Array | Blob | URL | null;

/** Bytes of the largest image file. */
const mostBytes = 64 * 2 ** 20;

/** What an image is called in errors. */
export function imageName(image: Exclude<ImageInput, null>): string {
  if (typeof image === 'string') return image;
  if (image instanceof URL) return oneLine(image.href);
  if (image instanceof Uint8Array) return `image of ${image.length} bytes`;
  return 'name' in image ? oneLine(`${image.name}`) : `image of ${image.size} bytes`;
}

/** The bytes of an image's file. Throws InputError, one line with the image's name. */
export async function readImage(image: Exclude<ImageInput, null>): Promise<Uint8Array> {
  const name = imageName(image);
  if (image instanceof Uint8Array) {
    checkLength(name, image.length);
    return image;
  }
  if (image instanceof URL) return readUrl(name, image);
  if (typeof image === 'string') return readFile(image);
  checkLength(name, image.size);
  return new Uint8Array(await image.arrayBuffer());
}

async function readFile(path: string): Promise<Uint8Array> {
  const source = await openFile(path);
  try {
    checkLength(path, source.size);
    return await source.read(0, source.size);
  } finally {
    await source.close();
  }
}

async function readUrl(name: string, url: URL): Promise<Uint8Array> {
  switch (url.protocol) {
    case 'file:': {
      const { fileURLToPath } = await import('node:url');
      return readFile(fileURLToPath(url));
    }
    case 'http:':
    case 'https:':
      return readAnswer(name, await request(url.href, {}));
    case 'data:':
    case 'blob:':
      try {
        return await readAnswer(name, await fetch(url));
      } catch (error) {
        throw error instanceof InputError ? error : new InputError(`${name}: ${reasonOf(error)}`);
      }
    default:
      throw new InputError({
        file: name,
        expected: 'http:, https:, file:, data: or blob:',
        found: url.protocol,
      });
  }
}

function readAnswer(name: string, response: Response): Promise<Uint8Array> {
  return wholeBody(name, response, (bytes) => checkLength(name, bytes));
}

function checkLength(name: string, bytes: number): void {
  if (bytes > mostBytes) {
    throw new InputError(`${name}: larger than ${mostBytes / 2 ** 20} MiB, which no image should be`);
  }
}

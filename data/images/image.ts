// Decodes JPEG, PNG and WebP files to 8-bit RGB, as Python's PIL opens them with `Image.open(f).convert('RGB')`:
// alpha is dropped, not blended; grey is repeated; 16-bit samples keep their high byte; EXIF orientation is not applied.
// CMYK JPEGs are converted without a colour profile (a few units off PIL's). Knows nothing of sizes or models.

import { decode as decodePng } from 'fast-png';
import jpeg from 'jpeg-js';
import { checkJpeg, checkPixels, webpSize } from './image-size.ts';
import { boundedPng } from './png-chunks.ts';

/** Pixels [height, width, 3], uint8. */
export interface RgbImage {
  width: number;
  height: number;
  data: Uint8Array;
}

/**
 * Decodes an image by its magic bytes. Throws one line that says what is wrong: an unknown format, more pixels than
 * checkPixels lets through, or what the format's decoder found.
 */
export async function decodeImage(bytes: Uint8Array): Promise<RgbImage> {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return fromJpeg(bytes);
  if (ascii(bytes, 1, 4) === 'PNG') return fromPng(bytes);
  if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP') return await fromWebp(bytes);
  throw new Error('neither JPEG nor PNG nor WebP');
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

function fromJpeg(bytes: Uint8Array): RgbImage {
  // The decoder fills a cut-off scan with grey; a file without its end marker is not whole.
  if (!hasJpegEnd(bytes)) throw new Error('JPEG: cut off');
  const options = {
    useTArray: true,
    formatAsRGBA: false,
    maxResolutionInMP: 50,
    maxMemoryUsageInMB: 1200,
  } as const;
  checkJpeg(bytes);
  const { width, height, data } = jpeg.decode(bytes, options);
  return { width, height, data };
}

/** Cameras and servers append junk: the end marker may stand anywhere after the last scan began. */
function hasJpegEnd(bytes: Uint8Array): boolean {
  for (let i = bytes.length - 2; i >= 2; i -= 1) {
    if (bytes[i] !== 0xff) continue;
    if (bytes[i + 1] === 0xd9) return true;
    if (bytes[i + 1] === 0xda) return false;
  }
  return false;
}

function fromPng(bytes: Uint8Array): RgbImage {
  const png = decodePng(boundedPng(bytes));
  const { width, height, depth, channels, palette } = png;
  const samples = depth < 8 ? unpack(png.data, width * channels, height, depth) : png.data;
  const data = new Uint8Array(width * height * 3);
  const toByte = (value: number): number => {
    if (depth === 16) return value >> 8;
    return depth === 8 ? value : (value * 255) / (2 ** depth - 1);
  };
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) {
      const sample = samples[i * channels + (channels >= 3 ? c : 0)]!;
      data[3 * i + c] = palette === undefined ? toByte(sample) : (palette[sample]?.[c] ?? 0);
    }
  }
  return { width, height, data };
}

/** Samples of 1, 2 or 4 bits, rows padded to whole bytes -> one sample a byte. */
function unpack(packed: ArrayLike<number>, rowSamples: number, rows: number, depth: number): Uint8Array {
  const rowBytes = Math.ceil((rowSamples * depth) / 8);
  const samples = new Uint8Array(rowSamples * rows);
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < rowSamples; x += 1) {
      const bit = x * depth;
      const byte = packed[y * rowBytes + (bit >> 3)]!;
      samples[y * rowSamples + x] = (byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
    }
  }
  return samples;
}

let webp: ReturnType<typeof loadWebp> | undefined;

async function fromWebp(bytes: Uint8Array): Promise<RgbImage> {
  const size = webpSize(bytes);
  checkPixels(size.width, size.height);
  webp ??= loadWebp();
  const image = (await webp).decode(bytes.slice().buffer);
  if (image === null) throw new Error('WebP: cannot be decoded');
  const { width, height, data: rgba } = image;
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) data[3 * i + c] = rgba[4 * i + c]!;
  }
  return { width, height, data };
}

/**
 * The decoder with its WebAssembly: in Node and Deno from its package; in a browser it fetches webp_dec.wasm from beside the
 * script, in the form that bundlers know. It answers in the browser's ImageData, which servers lack.
 */
async function loadWebp() {
  const { default: decoder } = await import('@jsquash/webp/codec/dec/webp_dec.js');
  const fs = globalThis.process?.getBuiltinModule?.('node:fs/promises');
  if (fs === undefined) return await decoder({ noInitialRun: true });
  const { initEmscriptenModule } = await import('@jsquash/webp/utils.js');
  const wasm = await fs.readFile(new URL(import.meta.resolve('@jsquash/webp/codec/dec/webp_dec.wasm')));
  const scope = globalThis as { ImageData?: unknown };
  scope.ImageData ??= class {
    data: Uint8ClampedArray;
    width: number;
    height: number;
    constructor(data: Uint8ClampedArray, width: number, height: number) {
      this.data = data;
      this.width = width;
      this.height = height;
    }
  };
  return await initEmscriptenModule(decoder, await WebAssembly.compile(wasm));
}

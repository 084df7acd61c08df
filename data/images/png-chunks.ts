// Makes PNG files safe to decode: of their chunks only those that make pixels are kept (a colour profile of a few
// kilobytes may unpack to gigabytes), each with its checksum tested, and their data are unpacked to no more bytes than
// the header's size has.

import { Unzlib, zlibSync } from 'fflate';
import { crc32 } from '../../files/crc32.ts';
import { joinedBytes } from '../../files/joined-bytes.ts';
import { checkPixels } from './image-size.ts';

const signatureBytes = 8;
const headerBytes = 13;
const kept = ['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'];
/** Compressed bytes that are unpacked at once: at most about 1000 times as many come out. */
const stepBytes = 2 ** 14;
/** Bytes of the unpacked pixels: 50 million of RGBA. Decoding takes four times as many. */
const mostRawBytes = 210_000_000;

/** The same image with bounded data. Throws one line for what is no whole PNG and for one of too many pixels. */
export function boundedPng(bytes: Uint8Array): Uint8Array {
  const before: Uint8Array[] = [];
  const seen = new Set<string>();
  let pixels: Unpacked | null = null;
  for (const { type, body, whole } of chunksOf(bytes)) {
    if (pixels === null) {
      if (type !== 'IHDR' || body.length !== headerBytes) throw new Error('PNG: no header');
      checkPixels(...sizeOf(body));
      pixels = new Unpacked(rawBytes(body));
    }
    if (type === 'IDAT') pixels.add(body);
    // Of the others a whole image has one each.
    else if (type !== 'IEND' && !seen.has(type)) before.push(whole);
    seen.add(type);
  }
  // Stored, not compressed: the decoder copies it.
  const image = chunk('IDAT', zlibSync(pixels!.bytes(), { level: 0 }));
  return joinedBytes([bytes.subarray(0, signatureBytes), ...before, image, chunk('IEND', new Uint8Array(0))]);
}

/** The chunks that are kept, up to the last one. */
function* chunksOf(bytes: Uint8Array): Generator<{ type: string; body: Uint8Array; whole: Uint8Array }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = signatureBytes; ; ) {
    if (at + 12 > bytes.length) throw new Error('PNG: cut off');
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length) throw new Error('PNG: cut off');
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (kept.includes(type)) {
      if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
        throw new Error(`PNG: wrong checksum of a chunk ${type}`);
      }
      yield { type, body: bytes.subarray(at + 8, end - 4), whole: bytes.subarray(at, end) };
    }
    if (type === 'IEND') return;
    at = end;
  }
}

function sizeOf(header: Uint8Array): [width: number, height: number] {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  return [view.getUint32(0), view.getUint32(4)];
}

/** Bytes of the unpacked data: rows of whole bytes with a filter byte each, of seven passes where it is interlaced. */
function rawBytes(header: Uint8Array): number {
  const [width, height] = sizeOf(header);
  const [depth, color, , , interlace] = header.subarray(8) as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  const channels = [1, 0, 3, 1, 2, 0, 4][color] ?? 0;
  const pass = (w: number, h: number): number =>
    w === 0 ? 0 : h * (1 + Math.ceil((w * channels * depth) / 8));
  if (interlace === 0) return pass(width, height);
  const starts = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ] as const;
  return starts.reduce(
    (sum, [x, y, dx, dy]) => sum + pass(Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)),
    0,
  );
}

/** The first bytes that data unpack to, as many as there is room for. */
class Unpacked {
  readonly #out: Uint8Array;
  readonly #stream: Unzlib;
  #done = 0;

  constructor(length: number) {
    if (length > mostRawBytes) {
      throw new Error(`PNG: ${length} bytes of pixels, expected at most ${mostRawBytes / 1e6} million`);
    }
    this.#out = new Uint8Array(length);
    this.#stream = new Unzlib((part) => {
      const fits = part.subarray(0, length - this.#done);
      this.#out.set(fits, this.#done);
      this.#done += fits.length;
    });
  }

  add(data: Uint8Array): void {
    for (let at = 0; at < data.length && this.#done < this.#out.length; at += stepBytes) {
      this.#stream.push(data.subarray(at, at + stepBytes), false);
    }
  }

  /** Throws one line where the data were too few. */
  bytes(): Uint8Array {
    if (this.#done < this.#out.length) throw new Error('PNG: too few data for its size');
    return this.#out;
  }
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return bytes;
}

// The width and height that an image's header gives, read without decoding: what a decoder would make room for.

/** The most pixels that are decoded; more would take gigabytes. */
const mostPixels = 50_000_000;

/** Throws one line for an image of no pixels or of too many, before any memory is taken for them. */
export function checkPixels(width: number, height: number): void {
  if (width === 0 || height === 0) throw new Error(`${width} x ${height} pixels`);
  if (width * height > mostPixels) {
    throw new Error(`${width} x ${height} pixels, expected at most ${mostPixels / 1e6} million`);
  }
}

/** Of a JPEG, PNG or WebP file, by its first bytes. Throws one line for anything else. */
export function imageSize(bytes: Uint8Array): { width: number; height: number } {
  const ascii = (start: number, end: number) => String.fromCharCode(...bytes.subarray(start, end));
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpegSize(bytes);
  if (ascii(0, 4) === 'RIFF' && ascii(8, 12) === 'WEBP') return webpSize(bytes);
  if (ascii(1, 4) !== 'PNG') throw new Error('neither JPEG nor PNG nor WebP');
  if (bytes.length < 24 || ascii(12, 16) !== 'IHDR') throw new Error('PNG: no header');
  const view = viewOf(bytes);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** Of a JPEG: the largest of its frames' headers. Throws one line where there is none. */
export function jpegSize(bytes: Uint8Array): { width: number; height: number } {
  const view = viewOf(bytes);
  let found: { width: number; height: number } | null = null;
  for (let at = 2; at + 9 <= bytes.length; ) {
    if (bytes[at] !== 0xff) break;
    const marker = bytes[at + 1]!;
    // Fill bytes, and markers without a length.
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    if (marker === 0xda || marker === 0xd9) break;
    // C4, C8 and CC are tables.
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) {
      const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      if (!found || width * height > found.width * found.height) found = { width, height };
    }
    at += 2 + view.getUint16(at + 2);
  }
  if (found === null) throw new Error('JPEG: no frame header');
  return found;
}

/** Of a WebP: the canvas of an extended file, else the frame's. Throws one line for another first chunk. */
export function webpSize(bytes: Uint8Array): { width: number; height: number } {
  if (bytes.length < 30) throw new Error('WebP: cut off');
  const view = viewOf(bytes);
  const chunk = String.fromCharCode(...bytes.subarray(12, 16));
  const u24 = (at: number) => view.getUint16(at, true) + (bytes[at + 2]! << 16);
  if (chunk === 'VP8X') return { width: 1 + u24(24), height: 1 + u24(27) };
  if (chunk === 'VP8 ') {
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  }
  if (chunk !== 'VP8L') throw new Error('WebP: cannot be decoded');
  const bits = view.getUint32(21, true);
  return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

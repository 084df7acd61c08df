// The width and height that an image's header gives, read without decoding: what a decoder would make room for.

/** The most pixels that are decoded; more would take gigabytes. */
const mostPixels = 50_000_000;

/** Samples of a JPEG in all planes: 25 million pixels of three whole planes, 50 where colour has a quarter of them. */
const mostJpegSamples = 75_000_000;

/** A progressive JPEG has about ten. */
const mostJpegScans = 100;

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
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    const { width, height } = jpegOutline(bytes);
    return { width, height };
  }
  if (ascii(0, 4) === 'RIFF' && ascii(8, 12) === 'WEBP') return webpSize(bytes);
  if (ascii(1, 4) !== 'PNG') throw new Error('neither JPEG nor PNG nor WebP');
  if (bytes.length < 24 || ascii(12, 16) !== 'IHDR') throw new Error('PNG: no header');
  const view = viewOf(bytes);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** The size of a JPEG's largest frame, the samples of all, and how many scans. Throws one line where there is no frame. */
function jpegOutline(bytes: Uint8Array): JpegFrame & { scans: number } {
  let largest: JpegFrame | null = null;
  let [samples, scans] = [0, 0];
  for (const part of jpegParts(bytes)) {
    if (part === 'scan') {
      scans++;
      continue;
    }
    samples += part.samples;
    if (!largest || part.width * part.height > largest.width * largest.height) largest = part;
  }
  if (largest === null) throw new Error('JPEG: no frame header');
  return { width: largest.width, height: largest.height, samples, scans };
}

/**
 * Throws one line for a JPEG that takes a decoder gigabytes or hours: of too many pixels, of too many samples in all of its
 * planes (14 bytes of memory each), or of scans that go over the picture again and again.
 */
export function checkJpeg(bytes: Uint8Array): void {
  const { width, height, samples, scans } = jpegOutline(bytes);
  checkPixels(width, height);
  const found = `JPEG: ${width} x ${height} pixels`;
  if (samples > mostJpegSamples) {
    throw new Error(`${found} in ${samples} samples, expected at most ${mostJpegSamples / 1e6} million`);
  }
  if (scans > mostJpegScans) throw new Error(`${found} in ${scans} scans, expected at most ${mostJpegScans}`);
}

interface JpegFrame {
  width: number;
  height: number;
  /** Of all planes, each with its own resolution. */
  samples: number;
}

/** The headers of a JPEG's frames, and its scans, to its end or to the first thing that is no JPEG. */
function* jpegParts(bytes: Uint8Array): Generator<JpegFrame | 'scan'> {
  const view = viewOf(bytes);
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return;
    const marker = bytes[at + 1]!;
    // Fill bytes, and markers without a length.
    if (marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += marker === 0xff ? 1 : 2;
      continue;
    }
    if (marker === 0xd9) return;
    const end = at + 2 + view.getUint16(at + 2);
    // C4, C8 and CC are tables.
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame && at + 10 <= bytes.length) yield jpegFrame(bytes.subarray(at, end));
    at = end;
    if (marker !== 0xda) continue;
    yield 'scan';
    at = endOfScan(bytes, at);
  }
}

/** What a frame's header says; samples as if whole blocks did not matter. */
function jpegFrame(header: Uint8Array): JpegFrame {
  const view = viewOf(header);
  const [height, width] = [view.getUint16(5), view.getUint16(7)];
  const factors = Array.from({ length: header[9]! }, (_, i) => header[11 + 3 * i] ?? 0x11);
  const [across, down] = [factors.map((factor) => factor >> 4), factors.map((factor) => factor & 15)];
  const most = Math.max(1, ...across) * Math.max(1, ...down);
  const planes = factors.reduce((sum, _, i) => sum + (across[i]! * down[i]!) / most, 0);
  return { width, height, samples: Math.ceil(width * height * planes) };
}

/** Where the next marker stands after a scan's data, which has 00 after each FF, or a restart. */
function endOfScan(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(0xff, start); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1];
    if (next !== 0 && !(next! >= 0xd0 && next! <= 0xd7)) return at;
  }
  return bytes.length;
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

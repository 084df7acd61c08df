// Reads single members of zip files: found in the central directory, their unpacked size held against a limit before
// anything is unpacked, their CRC-32 after. Members are stored or deflated; zip64 and encryption are refused.

import { inflateSync } from 'fflate';
import { crc32 } from './crc32.ts';
import { InputError, oneLine } from './errors.ts';

interface ZipMember {
  name: string;
  /** Unpacked bytes. */
  size: number;
  packed: number;
  method: number;
  flags: number;
  crc: number;
  /** Where its local header begins. */
  offset: number;
}

const endSignature = 0x06054b50;
const memberSignature = 0x02014b50;
const localSignature = 0x04034b50;
const endBytes = 22;
const mostCommentBytes = 2 ** 16;

/** Whether a file is a zip, by its first bytes. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b;
}

/** The members of the zip in `bytes`, as its central directory lists them. Throws InputError for what is no whole zip. */
export function zipMembers(file: string, bytes: Uint8Array): ZipMember[] {
  const view = viewOf(bytes);
  const bad = (what: string) => new InputError(`${file}: not a whole zip file: ${what}`);
  let end = bytes.length - endBytes;
  const least = Math.max(0, end - mostCommentBytes);
  while (end >= least && view.getUint32(end, true) !== endSignature) end--;
  if (end < least) throw bad('its directory is missing (cut off?)');
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count === 0xffff || at === 0xffffffff) throw new InputError(`${file}: zip64 is not supported`);
  return Array.from({ length: count }, () => {
    if (at + 46 > end || view.getUint32(at, true) !== memberSignature) throw bad('its directory is damaged');
    const nameEnd = at + 46 + view.getUint16(at + 28, true);
    if (nameEnd > end) throw bad('its directory is damaged');
    const member = {
      name: new TextDecoder().decode(bytes.subarray(at + 46, nameEnd)),
      flags: view.getUint16(at + 8, true),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    };
    at = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    return member;
  });
}

/**
 * A member's bytes. Throws InputError where they would be more than `mostBytes`, are not what the directory says, or are
 * packed in a way that is not known.
 */
export function unzipMember(
  file: string,
  bytes: Uint8Array,
  member: ZipMember,
  mostBytes: number,
): Uint8Array {
  const { name, size, packed, method, flags, crc, offset } = member;
  const bad = (what: string) => new InputError(`${file}: ${oneLine(name)}: ${what}`);
  if (size > mostBytes) throw bad(`expected at most ${mostBytes} bytes`);
  if ((flags & 1) === 1) throw bad('it is encrypted');
  const view = viewOf(bytes);
  if (offset + 30 > bytes.length || view.getUint32(offset, true) !== localSignature) {
    throw bad('damaged (no local header)');
  }
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packed > bytes.length) throw bad('cut off');
  const data = bytes.subarray(start, start + packed);
  const found = method === 0 ? data : method === 8 ? inflate(data, size, bad) : null;
  if (found === null) throw bad(`packed by method ${method}, expected stored or deflated`);
  if (found.length !== size || crc32(found) !== crc) throw bad('damaged (wrong checksum)');
  return found;
}

/** Unpacks into room for `size` bytes and no more. */
function inflate(data: Uint8Array, size: number, bad: (what: string) => InputError): Uint8Array {
  try {
    return inflateSync(data, { out: new Uint8Array(size) });
  } catch (error) {
    throw bad(`damaged (${oneLine((error as Error).message)})`);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

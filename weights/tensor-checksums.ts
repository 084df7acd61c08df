// Checksums in the metadata of the safetensors files that we write, which other readers pass over: of each tensor the CRC-32
// of every 64 KiB, so that a part of a tensor is checked without reading the rest, and of the header itself.
//
//   {"__metadata__":{"checksum":"crc32/65536:HHHHHHHH", ..., "checksum.NAME":"BBBBBBBB..."}, ...
//
// Eight hexadecimal digits each. That of the header is taken with zeros in its own place.

import { crc32 } from '../files/crc32.ts';

/** Bytes that one checksum covers. A multiple of every element's size. */
export const blockBytes = 2 ** 16;

/** The beginning of a header with checksums. */
const mark = '{"__metadata__":{"checksum":"crc32/65536:';
const headerKey = 'checksum';
const prefix = 'checksum.';
const digits = 8;

/** Checksums of the blocks of bytes that come in parts. */
export class BlockChecksums {
  #done: number[] = [];
  #open = 0;
  #filled = 0;

  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + blockBytes - this.#filled);
      this.#open = crc32(part, this.#open);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === blockBytes) this.#close();
    }
  }

  /** All checksums; nothing may be added after. */
  end(): string {
    if (this.#filled > 0) this.#close();
    return this.#done.map(hexOf).join('');
  }

  #close(): void {
    this.#done.push(this.#open);
    this.#open = this.#filled = 0;
  }
}

/**
 * The JSON of a header with checksums: `sums` by tensor, zeros where they are not known yet. It is as long as the header
 * that has them all. `entries` are the tensors' as JSON has them.
 */
export function headerJson(
  entries: readonly (readonly [name: string, entry: { data_offsets: readonly [number, number] }])[],
  metadata: Readonly<Record<string, string>>,
  sums: ReadonlyMap<string, string>,
): Uint8Array {
  const notes: [string, string][] = [
    ...Object.entries(metadata),
    ...entries.map(
      ([
        name,
        {
          data_offsets: [first, end],
        },
      ]): [string, string] => [
        prefix + name,
        sums.get(name) ?? '0'.repeat(digits * Math.ceil((end - first) / blockBytes)),
      ],
    ),
  ];
  const field = ([name, value]: readonly [string, unknown]) =>
    `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  const start = `${mark}${'0'.repeat(digits)}"`;
  const json = `${[start, ...notes.map(field)].join(',')}},${entries.map(field).join(',')}`.replace(/,$/, '');
  const text = new TextEncoder().encode(`${json}}`);
  // Spaces after the JSON put the data on a multiple of eight.
  const bytes = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
  bytes.set(text);
  bytes.set(new TextEncoder().encode(hexOf(crc32(bytes))), mark.length);
  return bytes;
}

/** Whether a header without a checksum has one for a tensor: its beginning was damaged then. */
export function hasLostChecksum(
  metadata: Readonly<Record<string, string>>,
  tensors: ReadonlyMap<string, { bytes: number }>,
): boolean {
  return Object.entries(metadata).some(([name, value]) => {
    const tensor = name.startsWith(prefix) ? tensors.get(name.slice(prefix.length)) : undefined;
    if (tensor === undefined || value === '') return false;
    return value.length === digits * Math.ceil(tensor.bytes / blockBytes) && /^[0-9a-f]+$/.test(value);
  });
}

/** Whether a header is whole; null where it has no checksum. */
export function isHeaderWhole(header: Uint8Array): boolean | null {
  const text = new TextDecoder('latin1').decode(header.subarray(0, mark.length + digits));
  if (!text.startsWith(mark)) return null;
  const blank = header.slice();
  blank.fill(0x30, mark.length, mark.length + digits);
  return hexOf(crc32(blank)) === text.slice(mark.length);
}

/** Parts the metadata of a header with checksums: the notes, and each tensor's checksums as hexadecimal digits. */
export function splitMetadata(all: Readonly<Record<string, string>>): {
  metadata: Record<string, string>;
  sums: Map<string, string>;
} {
  const metadata: Record<string, string> = {};
  const sums = new Map<string, string>();
  for (const [name, value] of Object.entries(all)) {
    if (name.startsWith(prefix)) sums.set(name.slice(prefix.length), value);
    else if (name !== headerKey) metadata[name] = value;
  }
  return { metadata, sums };
}

/** The first block of `bytes`, which begin with block `first`, that is not what its checksum says; -1 where all are. */
export function damagedBlock(bytes: Uint8Array, sums: string, first: number): number {
  for (let block = first, at = 0; at < bytes.length; block++, at += blockBytes) {
    const expected = sums.slice(digits * block, digits * (block + 1));
    if (hexOf(crc32(bytes.subarray(at, at + blockBytes))) !== expected) return block;
  }
  return -1;
}

function hexOf(value: number): string {
  return value.toString(16).padStart(digits, '0');
}

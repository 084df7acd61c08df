// Fingerprints: hashes of everything that an artefact was made from, so that it is known when it no longer fits.

import { sha256 } from './browser/sha256.ts';

/** Raise it when the same inputs give other features: when encoders or preprocessing change. */
const version = 2;

/** The hash of strings and arrays, each with its length, so that no two lists look the same. */
export function hashOf(parts: readonly (string | ArrayBufferView)[]): string {
  const hash = sha256().update(new TextEncoder().encode(`${version}`));
  for (const part of parts) {
    const bytes =
      typeof part === 'string'
        ? new TextEncoder().encode(part)
        : new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    hash.update(new TextEncoder().encode(`${bytes.length} `)).update(bytes);
  }
  return hash.hex().slice(0, 32);
}

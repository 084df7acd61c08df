// Fingerprints: hashes of everything that an artefact was made from, so that it is known when it no longer fits.

/** Raise it when the same inputs give other features: when encoders or preprocessing change. */
const version = 2;

/** The hash of strings and arrays, each with its length, so that no two lists look the same. */
export function hashOf(parts: readonly (string | ArrayBufferView)[]): string {
  // Not imported at the top: a browser loads this file with others, and never calls it.
  const { createHash } = process.getBuiltinModule('node:crypto');
  const hash = createHash('sha256').update(`${version}`);
  for (const part of parts) {
    const bytes =
      typeof part === 'string'
        ? new TextEncoder().encode(part)
        : new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    hash.update(`${bytes.length} `).update(bytes);
  }
  return hash.digest('hex').slice(0, 32);
}

// SHA-256 of bytes that come in pieces: by Node's OpenSSL where there is one, else in JavaScript, since the one that browsers
// have takes no pieces and makes everyone wait for a promise.

import { sha256 as inJavaScript } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

interface Sha256 {
  update(bytes: Uint8Array): this;
  /** 64 hexadecimal digits; the last that is asked of it. */
  hex(): string;
}

const native = globalThis.process?.getBuiltinModule?.('node:crypto')?.createHash;

/** A hash of nothing yet. */
export function sha256(): Sha256 {
  if (native) return wrapped(native('sha256'), (hash) => hash.digest('hex'));
  return wrapped(inJavaScript.create(), (hash) => bytesToHex(hash.digest()));
}

function wrapped<Hash extends { update(bytes: Uint8Array): unknown }>(
  hash: Hash,
  hexOf: (hash: Hash) => string,
): Sha256 {
  return {
    update(bytes) {
      hash.update(bytes);
      return this;
    },
    hex: () => hexOf(hash),
  };
}

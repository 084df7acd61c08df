// What disks, cables and interrupted copies do to a file, as arbitraries of fast-check: places are parts of the file's length,
// so that one damage fits files of any size and shrinks to a smaller one.

import fc from 'fast-check';

export type Damage =
  | { kind: 'flip'; bits: readonly { at: number; bit: number }[] }
  | { kind: 'cut'; at: number }
  | { kind: 'append'; bytes: Uint8Array }
  | { kind: 'swap'; first: number; second: number; length: number }
  | { kind: 'zeros'; at: number; length: number };

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
/** Short ones, and the blocks of disks. */
const length = fc.oneof(fc.integer({ min: 1, max: 64 }), fc.constantFrom(512, 4096));

export const anyDamage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({
    kind: fc.constant('flip' as const),
    bits: fc.array(fc.record({ at: place, bit: fc.nat(7) }), { minLength: 1, maxLength: 8 }),
  }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('append' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }) }),
  fc.record({ kind: fc.constant('swap' as const), first: place, second: place, length }),
  fc.record({ kind: fc.constant('zeros' as const), at: place, length }),
);

/** The bytes after the damage; now and then the same. */
export function damaged(bytes: Uint8Array, damage: Damage): Uint8Array {
  const at = (part: number) => Math.floor(part * bytes.length);
  const copy = bytes.slice();
  switch (damage.kind) {
    case 'flip':
      for (const { at: part, bit } of damage.bits) copy[at(part)]! ^= 1 << bit;
      return copy;
    case 'cut':
      return copy.subarray(0, at(damage.at));
    case 'append':
      return Uint8Array.from([...bytes, ...damage.bytes]);
    case 'zeros':
      return copy.fill(0, at(damage.at), at(damage.at) + damage.length);
    case 'swap': {
      // Blocks stand where blocks of their length do.
      const length = Math.min(damage.length, Math.floor(bytes.length / 4));
      const block = (part: number) => Math.floor(part * Math.floor(bytes.length / length)) * length;
      const [first, second] = [block(damage.first), block(damage.second)];
      copy.set(bytes.subarray(first, first + length), second);
      copy.set(bytes.subarray(second, second + length), first);
      return copy;
    }
  }
}

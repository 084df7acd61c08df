// Entities by what they are called.

import type { Entity } from '../../../data/dataset.ts';

/** The places of entities in their list by each of their names and aliases, in lower case. */
export function placesByName(
  entities: Iterable<Pick<Entity, 'name' | 'aliases'>>,
): ReadonlyMap<string, number[]> {
  const places = new Map<string, number[]>();
  let place = 0;
  for (const { name, aliases } of entities) {
    for (const known of new Set([name, ...aliases].map((word) => word.toLowerCase()))) {
      places.set(known, [...(places.get(known) ?? []), place]);
    }
    place++;
  }
  return places;
}

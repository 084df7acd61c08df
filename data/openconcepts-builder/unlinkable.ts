// Mentions whose entity counts as taken out of the knowledge base: what a linker should answer "none of them" to.

import type { Concept, ConceptMention } from './concept.ts';
import { byHash } from './concept.ts';

/**
 * Of a split's mentions those of half of its entities, as mentions with ids of their own, so that no linkable mention is
 * lost. Entities whose name others have too and entities whose name is theirs alone are halved apart: of the first a
 * homonym is left in the knowledge base, of the second nothing of that name.
 */
export function unlinkableMentions(
  concepts: readonly Concept[],
  mentions: readonly ConceptMention[],
): ConceptMention[] {
  const named = new Map<string, number>();
  for (const { name } of concepts) named.set(name.toLowerCase(), (named.get(name.toLowerCase()) ?? 0) + 1);
  const mentioned = [...new Set(mentions.map(({ concept }) => concept))];
  const halfOf = (isShared: boolean): Concept[] => {
    const group = mentioned.filter(({ name }) => named.get(name.toLowerCase())! > 1 === isShared);
    const ordered = byHash(group, ({ synset }) => `unlinkable ${synset.offset}`);
    return ordered.slice(0, Math.round(ordered.length / 2));
  };
  const taken = new Set([...halfOf(true), ...halfOf(false)]);
  return mentions
    .filter(({ concept }) => taken.has(concept))
    .map((mention) => ({ ...mention, id: `u${mention.id}` }));
}

// How often a gate picked which part, or which share each part had of a mixture, in percent.

import type { Choices, SystemResult } from '../ranking/scoring-pass.ts';

type Shares = NonNullable<SystemResult['shares']>;

/** Percent of pairs by the part that the gate picked for them; no field for no pairs. */
export type Picked = Record<string, number>;

/** Of all pairs, of those whose mention has no image, of those whose entity has none. */
export interface PickedBy {
  overall: Picked;
  mentionWithoutImage: Picked;
  entityWithoutImage: Picked;
}

/** What a pass counted; `hasNoImage`: 1 for mentions without an image. */
export function pickedBy({ parts, counts }: Choices, hasNoImage: Uint8Array): PickedBy {
  const each = 2 * parts.length;
  const sum = (of: 'all' | 'entities without an image', isCounted: (mention: number) => boolean) =>
    parts.map((_, part) => {
      let total = 0;
      const at = part + (of === 'all' ? 0 : parts.length);
      for (let mention = 0; mention < hasNoImage.length; mention++) {
        if (isCounted(mention)) total += counts![mention * each + at]!;
      }
      return total;
    });
  const everyone = () => true;
  return {
    overall: percents(parts, sum('all', everyone)),
    mentionWithoutImage: percents(
      parts,
      sum('all', (mention) => hasNoImage[mention] === 1),
    ),
    entityWithoutImage: percents(parts, sum('entities without an image', everyone)),
  };
}

/** Mean shares of a mixture's parts; it looks at no entities. `hasNoImage`: 1 for mentions without an image. */
export function sharesBy({ parts, values }: Shares, hasNoImage: Uint8Array): PickedBy {
  const sum = (isCounted: (mention: number) => boolean) =>
    parts.map((_, part) =>
      values.reduce((total, own, mention) => total + (isCounted(mention) ? own[part]! : 0), 0),
    );
  const overall = percents(
    parts,
    sum(() => true),
  );
  const mentionWithoutImage = percents(
    parts,
    sum((mention) => hasNoImage[mention] === 1),
  );
  return { overall, mentionWithoutImage, entityWithoutImage: overall };
}

/** The shares of some of the mentions only. */
export function sharesFor({ parts, values }: Shares, mentions: readonly number[]): Shares {
  return { parts, values: mentions.map((mention) => values[mention]!) };
}

/** The choices for some of the mentions only. */
export function choicesFor({ parts, counts, gold }: Choices, mentions: readonly number[]): Choices {
  const each = 2 * parts.length;
  return {
    parts,
    counts:
      counts && Float64Array.from(mentions.flatMap((m) => [...counts.subarray(m * each, (m + 1) * each)])),
    gold: mentions.map((mention) => gold[mention]!),
  };
}

/** What was picked for the mentions with their gold entities. */
export function pickedForGold({ parts, gold }: Choices): Picked {
  return percents(
    parts,
    parts.map((name) => gold.filter((picked) => picked === name).length),
  );
}

/** Counts by name as percent; no field for no counts. */
function percents(names: readonly string[], counts: readonly number[]): Picked {
  const total = counts.reduce((sum, n) => sum + n, 0);
  return total === 0 ? {} : Object.fromEntries(names.map((name, i) => [name, (100 * counts[i]!) / total]));
}

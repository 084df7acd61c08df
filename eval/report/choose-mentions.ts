// Which mentions a report shows: by a fixed rule, so that nobody picks the nice ones.

/** The rule in words, for the reader. */
export const ruleInWords =
  'Where there are several kinds of mentions, as many are shown of each. Half of them have an image and half have none, ' +
  'as far as there are enough of each. In each half, right and wrong first choices stand in the proportion that they have among all mentions of ' +
  'that kind, and are taken at even distances in the order of the data set.';

/** What the rule looks at. */
export interface Candidate {
  kind: string | null;
  hasImage: boolean;
  isRight: boolean;
}

/** Numbers of `count` of the candidates (of all, if there are fewer), in their order, by the rule. */
export function chooseMentions(candidates: readonly Candidate[], count: number): number[] {
  const byKind = new Map<string | null, number[]>();
  for (const [number, { kind }] of candidates.entries()) {
    byKind.set(kind, [...(byKind.get(kind) ?? []), number]);
  }
  // The kind with the fewest first: what it lacks the others make up for.
  const groups = [...byKind.values()].sort((a, b) => a.length - b.length);
  let left = count;
  const chosen = groups.flatMap((numbers, i) => {
    const own = chosenOf(numbers, Math.ceil(left / (groups.length - i)), candidates);
    left -= own.length;
    return own;
  });
  return chosen.sort((a, b) => a - b);
}

/** The rule of the failures in words. */
export const failureRuleInWords =
  'The wrong first choices of which the system was surest: those furthest above the right entity, which is among the first five, a word ' +
  'once, and as many of each kind of mention.';

/** A wrong first choice. */
export interface Failure {
  /** Of the prediction. */
  number: number;
  kind: string | null;
  word: string;
  /** How far the first entity's score is above the right one's. */
  lead: number;
}

/** Numbers of `count` of the failures, the surest first, by the rule; fewer where a kind has fewer. */
export function chooseFailures(failures: readonly Failure[], count: number): number[] {
  const kinds = new Set(failures.map(({ kind }) => kind));
  const each = Math.floor(count / Math.max(1, kinds.size));
  const surest = [...failures].sort((a, b) => b.lead - a.lead || a.number - b.number);
  const words = new Set<string>();
  const taken = new Map<string | null, number>();
  return surest.flatMap(({ number, kind, word }) => {
    const known = word.toLowerCase();
    if (words.has(known) || (taken.get(kind) ?? 0) >= each) return [];
    words.add(known);
    taken.set(kind, (taken.get(kind) ?? 0) + 1);
    return [number];
  });
}

function chosenOf(numbers: readonly number[], count: number, candidates: readonly Candidate[]): number[] {
  const withImage = numbers.filter((i) => candidates[i]!.hasImage);
  const without = numbers.filter((i) => !candidates[i]!.hasImage);
  const total = Math.min(count, numbers.length);
  const half = Math.ceil(total / 2);
  const share = Math.min(withImage.length, Math.max(half, total - without.length));
  return [...proportional(withImage, share, candidates), ...proportional(without, total - share, candidates)];
}

/** `count` of the numbers, right and wrong in their proportion. */
function proportional(numbers: readonly number[], count: number, candidates: readonly Candidate[]): number[] {
  const right = numbers.filter((i) => candidates[i]!.isRight);
  const wrong = numbers.filter((i) => !candidates[i]!.isRight);
  const failures = numbers.length === 0 ? 0 : Math.round((count * wrong.length) / numbers.length);
  return [...evenlySpaced(right, count - failures), ...evenlySpaced(wrong, failures)];
}

/** The middles of `count` equal parts of the list. */
function evenlySpaced(list: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, i) => list[Math.floor(((i + 0.5) * list.length) / count)]!);
}

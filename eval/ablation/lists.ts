// Flags that are lists, separated by commas.

import { UsageError } from '../../files/errors.ts';

/** '1,2,3' -> seeds. Throws UsageError for what is no integer from 0 on, and for one that stands twice. */
export function seedsOf(list: string): number[] {
  const seeds = list.split(',').map((part) => (/^\d+$/.test(part) ? Number(part) : Number.NaN));
  if (seeds.every(Number.isSafeInteger) && new Set(seeds).size === seeds.length) return seeds;
  throw new UsageError(`--seeds ${list}: expected different integers from 0 on, separated by commas`);
}

/** The words of a list. Throws UsageError, naming the flag, for one that is not among `choices`. */
export function chosenOf<T extends string>(flag: string, list: string, choices: readonly T[]): T[] {
  return list.split(',').map((part) => {
    const choice = choices.find((known) => known === part);
    if (choice === undefined) {
      throw new UsageError(`--${flag} ${list}: expected some of ${choices.join(', ')}, separated by commas`);
    }
    return choice;
  });
}

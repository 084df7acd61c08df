// What is compared, a line each: every baseline of the registry as its preset has it, further settings of baselines, and DSMIP
// with its experts. A contender is trained and ranked in a folder of its own, once a seed; it gives one row of the tables, or
// several where its parts are systems themselves.

import { baselines } from '../../model/baselines/registry.ts';

export interface Contender {
  /** By which it is asked for; its folder's, and a baseline's row has it too. */
  name: string;
  /** For tables. */
  title: string;
  /** The baseline that it is; null for DSMIP and its experts. */
  system: string | null;
  /** Settings of the baseline that are not the preset's. */
  options: Readonly<Record<string, unknown>>;
  /** Whether it is compared unless it is asked for by name. */
  isUsual: boolean;
}

/** Baselines with other settings, by the names of their rows; a row stands below that of its system. */
const variants: Readonly<Record<string, Omit<Contender, 'name'> & { system: string }>> = {
  'clip-cross': {
    title: 'CLIP, fine-tuned, texts with images too',
    system: 'clip',
    options: { cross: true },
    isUsual: false,
  },
};

/** All that can be compared, in the order of tables. */
export const contenders: readonly Contender[] = [
  ...Object.entries(baselines).flatMap(([name, { title }]) => [
    { name, title, system: name, options: {}, isUsual: true },
    ...Object.entries(variants)
      .filter(([, { system }]) => system === name)
      .map(([variant, about]) => ({ name: variant, ...about })),
  ]),
  { name: 'dsmip', title: 'DSMIP and its experts', system: null, options: {}, isUsual: true },
];

/** Whether a contender is trained; one that is not is ranked once, whatever the seeds. */
export function isTrained({ system }: Pick<Contender, 'system'>): boolean {
  return system === null || baselines[system]!.recipe !== null;
}

// What is compared, a line each: every baseline of the registry as its preset has it, further settings of baselines, rerankers after
// their first stages, and DSMIP with its experts. A contender is trained and ranked in a folder, once a seed; it gives one row of
// the tables, or several where its parts are systems themselves.

import { baselines, findBaseline } from '../../model/baselines/registry.ts';
import { rerankers } from '../../model/baselines/rerankers.ts';

export interface Contender {
  /** By which it is asked for, and its row's, unless it is DSMIP with its experts. */
  name: string;
  /** For tables. */
  title: string;
  /** The baseline or reranker that it is; null for DSMIP and its experts. */
  system: string | null;
  /** Of a reranker: the contender that proposes its candidates, and in whose folder it is. */
  firstStage: string | null;
  /** Settings of the baseline that are not the preset's. */
  options: Readonly<Record<string, unknown>>;
  /** Whether it is compared unless others are asked for by name. */
  isUsual: boolean;
}

/** Baselines with other settings, by the names of their rows, which stand below that of the system. */
const variants: Readonly<Record<string, Omit<Contender, 'name' | 'firstStage'>>> = {
  'clip-cross': {
    title: 'CLIP, fine-tuned, texts with images too',
    system: 'clip',
    options: { cross: true },
    isUsual: false,
  },
  // The loss is a known difference between published rows: here all learn by the same as the others.
  'dzmned-ce': {
    title: 'DZMNED, cross-entropy',
    system: 'dzmned',
    options: { loss: 'ce' },
    isUsual: true,
  },
  'dzmned-static': {
    title: 'DZMNED, embedded tokens',
    system: 'dzmned',
    options: { text: 'static' },
    isUsual: true,
  },
  'ghmfc-ce': { title: 'GHMFC, cross-entropy', system: 'ghmfc', options: { loss: 'ce' }, isUsual: true },
  'jmel-ce': { title: 'JMEL, cross-entropy', system: 'jmel', options: { loss: 'ce' }, isUsual: true },
  'jmel-static': {
    title: 'JMEL, embedded tokens',
    system: 'jmel',
    options: { text: 'static' },
    isUsual: true,
  },
};

/** All that can be compared, in the order of tables. */
export const contenders: readonly Contender[] = [
  ...Object.entries(baselines).flatMap(([name, { title }]): Contender[] => [
    { name, title, system: name, firstStage: null, options: {}, isUsual: true },
    ...Object.entries(rerankers)
      .filter(([, { firstStage }]) => firstStage === name)
      .map(([second, { title }]) => {
        return { name: second, title, system: second, firstStage: name, options: {}, isUsual: true };
      }),
    ...Object.entries(variants)
      .filter(([, { system }]) => system === name)
      .map(([variant, about]) => ({ name: variant, firstStage: null, ...about })),
  ]),
  {
    name: 'dsmip',
    title: 'DSMIP and its experts',
    system: null,
    firstStage: null,
    options: {},
    isUsual: true,
  },
];

/** Whether a contender is trained; one that is not is ranked once, whatever the seeds. */
export function isTrained({ system }: Pick<Contender, 'system'>): boolean {
  return system === null || findBaseline(system)?.recipe !== null;
}

/** The contender that proposes what another ranks; null for one that ranks all entities by itself. */
export function firstStageOf({ firstStage }: Pick<Contender, 'firstStage'>): Contender | null {
  return contenders.find(({ name }) => name === firstStage) ?? null;
}

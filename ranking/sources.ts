// Where a scoring pass has its mentions and entities from: abstractly, and from tables of features in memory. An index on
// disk is another source of entities (entity-index/source.ts).

import type { FeatureOptions } from '../encoding/features.ts';
import { pickSamples, type Samples } from '../encoding/samples.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Expert, firstImages, type SideTables } from '../model/dsmip/expert-model.ts';
import { type EntityOperands, entityOperands, type MentionVectors } from '../model/dsmip/expert-vectors.ts';
import type { ExpertKind } from '../model/dsmip/experts.ts';
import { type GateShares, sharesOf } from './gate-shares.ts';

export interface MentionSource {
  count: number;
  /** Tokens of each: mentions of like length are scored together. */
  lengths: ArrayLike<number>;
  /** u, where a gate chooses. */
  gate: GateShares | null;
  /** Scoring vectors of some mentions for the expert of that number, made in the caller's scope. */
  vectors(rows: readonly number[], expert: number): MentionVectors;
  /** What dense retrieval compares, [rows, d_z], made in the caller's scope. */
  globals(rows: readonly number[]): Tensor;
}

/** Makes vectors on the device in the caller's scope; by expert, null for those not asked for. */
export type EntityLoad = () => (EntityOperands | null)[];

export interface EntitySource {
  count: number;
  /** v, where a gate chooses. */
  gate: GateShares | null;
  /** 1 for entities without an image: [count]. */
  imageless: Uint8Array;
  /** Reads what the experts asked for need of some entities. */
  load(rows: readonly number[], experts: readonly boolean[]): Promise<EntityLoad>;
  /** Reads what dense retrieval compares, [rows, d_z]. */
  loadGlobals(rows: readonly number[]): Promise<() => Tensor>;
}

/** Features of one side with the image taken of each row. */
export interface RowTables extends SideTables {
  images: readonly number[];
}

/** Mentions from each expert's tables. */
export function tableMentions(
  experts: readonly Expert[],
  tables: readonly RowTables[],
  lengths: ArrayLike<number>,
  gate: GateShares | null = null,
): MentionSource {
  return {
    count: lengths.length,
    lengths,
    gate,
    vectors: (rows, i) => experts[i]!.mentionVectors(tables[i]!, rows, imagesOf(tables[i]!, rows)),
    globals: (rows) => globalsOf(experts, tables, rows),
  };
}

/** Some of a source's mentions: number i of these is rows[i] of those. */
export function someMentions(all: MentionSource, rows: readonly number[]): MentionSource {
  const those = (numbers: readonly number[]) => numbers.map((number) => rows[number]!);
  return {
    count: rows.length,
    lengths: rows.map((row) => all.lengths[row]!),
    gate: all.gate && sharesOf(all.gate, rows),
    vectors: (numbers, expert) => all.vectors(those(numbers), expert),
    globals: (numbers) => all.globals(those(numbers)),
  };
}

/** The numbers from `first` on. */
export function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** Entities from each expert's tables; their vectors are made again whenever they are asked for. */
export function tableEntities(
  experts: readonly Expert[],
  tables: readonly RowTables[],
  imageless: Uint8Array,
  gate: GateShares | null = null,
): EntitySource {
  return {
    count: imageless.length,
    gate,
    imageless,
    load: async (rows, asked) => () =>
      experts.map((expert, i) => {
        const of = tables[i]!;
        return asked[i] ? entityOperands(expert.entityVectors(of, rows, imagesOf(of, rows))) : null;
      }),
    loadGlobals: async (rows) => () => globalsOf(experts, tables, rows),
  };
}

function globalsOf(
  experts: readonly Expert[],
  tables: readonly RowTables[],
  rows: readonly number[],
): Tensor {
  const i = globalExpert(experts.map(({ kind }) => kind));
  return experts[i]!.globalVectors(tables[i]!.text!, rows);
}

/** Entities that are encoded whenever they are asked for, for tables that memory would not hold. */
export function streamedEntities(
  experts: readonly Expert[],
  samples: Samples,
  features: FeatureOptions,
  imageless: Uint8Array,
): EntitySource {
  const tablesOf = async (expert: Expert, rows: readonly number[]) => {
    const some = pickSamples(samples, rows);
    const { each, distinct } = firstImages(some);
    return { ...(await expert.tables('entity', some, distinct, features)), images: each };
  };
  return {
    count: imageless.length,
    gate: null,
    imageless,
    async load(rows, asked) {
      const tables: (RowTables | null)[] = [];
      for (const [i, expert] of experts.entries()) {
        tables.push(asked[i] ? await tablesOf(expert, rows) : null);
      }
      return () =>
        experts.map((expert, i) => {
          const own = tables[i];
          return own ? entityOperands(expert.entityVectors(own, [...rows.keys()], own.images)) : null;
        });
    },
    async loadGlobals(rows) {
      const expert = experts[globalExpert(experts.map(({ kind }) => kind))]!;
      const { text } = await tablesOf(expert, rows);
      return () => expert.globalVectors(text!, [...rows.keys()]);
    },
  };
}

/** The expert whose texts dense retrieval compares: the multimodal one, else the text expert; -1 for neither. */
export function globalExpert(kinds: readonly ExpertKind[]): number {
  return kinds.includes('multimodal') ? kinds.indexOf('multimodal') : kinds.indexOf('text');
}

function imagesOf({ images }: RowTables, rows: readonly number[]): number[] {
  return rows.map((row) => images[row]!);
}

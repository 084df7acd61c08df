// The form of an entity index, RUN/index: index.json, which says what it belongs to, and shards of consecutive entities,
// safetensors files. Of each expert a shard has
//   EXPERT.queries      [tokens, h]  the text unit's rows of all entities, one entity after the other
//   EXPERT.queryScales  [tokens, 1]  of queries in int8: what a row is multiplied by, float16
//   EXPERT.first        [n + 1]      where each entity's begin, i32
//   EXPERT.global       [n, d_z]     the whole text, which dense retrieval compares too
//   EXPERT.rows         [n, W]       its other vectors side by side: text `cls` h, vision 6 h, cross-modal h
//   EXPERT.scalars      [n, S]       text bias 1, vision 16, float32
// as far as the expert uses them; and `gate` [n, experts], float32, where the gate looks at entities. Queries are most of
// it, so an index of dtype int8 has these in 8 bits and its other vectors in float16.

import { concat, reshape, slice, transpose } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { EntityOperands, EntityVectors } from '../../model/dsmip/expert-vectors.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { visionOperandOf } from '../../model/dsmip/vision-vectors.ts';

/** Raise it when the form of shards or the meaning of their tensors changes. */
export const indexVersion = 2;

export const indexDtypes = ['int8', 'float16', 'float32'] as const;
export type IndexDtype = (typeof indexDtypes)[number];

/** index.json. */
export interface IndexHead {
  version: number;
  /** Hash of all weights and settings that decide what is in the shards. */
  belongs: string;
  /** Hash of the data set's texts, image names and answers, and of CLIP. */
  inputs: string;
  dtype: IndexDtype;
  entities: number;
  experts: ExpertKind[];
  /** Width of the gate's shares, 0 where entities have none; and the share that all have then. */
  gate: { experts: number; shared: number[] | null } | null;
  /** Of all shards. */
  bytes: number;
  bytesPerEntity: number;
  shards: { file: string; first: number; count: number }[];
}

/** An expert's vectors as a shard has them, in float32 and without `first`. */
export interface StoredVectors {
  queries?: Tensor;
  global?: Tensor;
  rows: Tensor;
  scalars: Tensor;
}

/** Columns of `rows` and of `scalars`, by the vectors' names. */
export function columnsOf(kind: ExpertKind, h: number) {
  const [hasText, hasImage] = [kind !== 'visual', kind !== 'text'];
  return {
    cls: hasText ? h : 0,
    vision: hasImage ? 6 * h : 0,
    crossModal: hasText && hasImage ? h : 0,
    bias: hasText ? 1 : 0,
    visionScalars: hasImage ? 16 : 0,
  };
}

export function stored({ text, vision, crossModal }: EntityVectors): StoredVectors {
  const vectors = [text?.weights, vision?.vectors, crossModal].flatMap((tensor) => tensor ?? []);
  const bias = text && reshape(text.bias, [text.bias.size, 1]);
  const scalars = [bias, vision?.scalars].flatMap((tensor) => tensor ?? []);
  return {
    ...(text ? { queries: text.queries, global: text.embeds } : {}),
    rows: concat(vectors, 1),
    scalars: concat(scalars, 1),
  };
}

/** What was stored, ready to be scored; `start`: where each entity's queries begin. */
export function restored(
  kind: ExpertKind,
  h: number,
  { queries, global, rows, scalars }: StoredVectors,
  start: Int32Array<ArrayBuffer>,
): EntityOperands {
  const { cls, vision, crossModal, bias, visionScalars } = columnsOf(kind, h);
  const [n, columns] = rows.shape as [number, number];
  // Once through all that is stored: [vectors, n, h].
  const parts = transpose(reshape(rows, [n, columns / h, h]), [1, 0, 2]);
  const part = (number: number) => {
    const one = rows.device.empty([n, h], 'f32', rows.name);
    rows.device.copy(parts, one, n * h, number * n * h);
    return one;
  };
  const vectors: EntityOperands = {};
  if (queries && global) {
    vectors.text = {
      queries,
      offsets: start,
      embeds: global,
      weights: part(0),
      bias: reshape(slice(scalars, 1, 0, bias), [n]),
    };
  }
  if (vision > 0) {
    const own = slice(scalars, 1, bias, visionScalars);
    vectors.vision = visionOperandOf('entity', parts, cls / h, own);
  }
  if (crossModal > 0) vectors.crossModal = part((cls + vision) / h);
  return vectors;
}

// The form of an entity index: a folder with index.json, which says what the index was made from, and shards of consecutive
// entities, safetensors files. Of each part of the scorer's layout a shard has
//   PART          [entities or tokens, columns]  in the index's dtype, or more where the part does not bear so little
//   PART.scales   [tokens, 1]                    of a part in int8: what a row is multiplied by, float16
//   PART.offsets  [entities + 1]                 of a part with a row a token: where each entity's begin, i32
// and `has_no_image` [entities], u8, 1 for entities without an image. index.json is written last and at once: without it,
// or beside shards that it does not name, there is no index. Shards carry their build's number in their name, so that a
// new index can be built beside the one that is in use.

import { WeightsError } from '../../files/errors.ts';
import type { SafetensorsDtype } from '../../weights/safetensors.ts';
import type { SideLayout, SidePart } from '../scorer.ts';

/** Raise it when the form of shards or the meaning of their tensors changes. */
export const indexVersion = 3;

export const indexDtypes = ['int8', 'float16', 'float32'] as const;
/** How vectors are stored, where their part bears it; int8: rows of tokens only, the rest in float16. */
export type IndexDtype = (typeof indexDtypes)[number];

/** Hashes of what an index was made from, by what they are of. */
export type Fingerprints = Readonly<Record<string, string>>;

/** Consecutive entities in a file. */
export interface ShardInfo {
  file: string;
  first: number;
  count: number;
}

/** index.json. */
export interface IndexHead {
  version: number;
  /** Name of the scorer whose sides are stored, and its layout. */
  scorer: string;
  layout: SideLayout;
  dtype: IndexDtype;
  fingerprints: Fingerprints;
  entities: number;
  /** Entities a shard; the last may have fewer. */
  shard: number;
  /** Of all shards' tensors. */
  bytes: number;
  bytesPerEntity: number;
  shards: ShardInfo[];
}

export const headName = 'index.json';
export const noImageName = 'has_no_image';

export function scalesName(part: string): string {
  return `${part}.scales`;
}

export function offsetsName(part: string): string {
  return `${part}.offsets`;
}

/** How a part is stored in an index of a dtype. */
export function storedAs(
  { precision }: SidePart,
  dtype: IndexDtype,
): SafetensorsDtype & ('F32' | 'F16' | 'I8') {
  if (dtype === 'float32' || precision === 'float32') return 'F32';
  return dtype === 'int8' && precision === 'int8' ? 'I8' : 'F16';
}

/** The file of a shard of a build. */
export function shardName(build: string, number: number): string {
  return `shard-${build}-${String(number).padStart(5, '0')}.safetensors`;
}

/** Whether a file is named like a shard of a build, finished or half written. */
export function isShardOf(build: string, name: string): boolean {
  return new RegExp(`^shard-${build}-\\d{5,}\\.safetensors(\\.\\d+-\\d+\\.tmp)?$`).test(name);
}

/** The build that a shard's name carries; null for other names. */
export function buildOf(name: string): string | null {
  return /^shard-([0-9a-f]{12})-\d{5,}\.safetensors$/.exec(name)?.[1] ?? null;
}

/** Checks the text of index.json. Throws WeightsError. */
export function parseHead(path: string, text: string): IndexHead {
  let head: Partial<IndexHead> | null = null;
  try {
    head = JSON.parse(text) as Partial<IndexHead>;
  } catch {
    throw new WeightsError({ file: path, expected: 'JSON', found: 'something else; is it damaged?' });
  }
  const expect = (holds: boolean, field: string, what: string) => {
    if (!holds) throw new WeightsError({ file: path, field, expected: what });
  };
  expect(
    typeof head === 'object' && head !== null && !Array.isArray(head),
    'content',
    'the head of an index',
  );
  const { version } = head!;
  expect(version === indexVersion, 'version', `${indexVersion}; build the index again`);
  expect(typeof head!.scorer === 'string', 'scorer', 'a name');
  expect(isLayout(head!.layout), 'layout', 'columns, rows and precision by part');
  expect(
    indexDtypes.some((dtype) => dtype === head!.dtype),
    'dtype',
    indexDtypes.join(', '),
  );
  expect(isRecordOf(head!.fingerprints, 'string'), 'fingerprints', 'hashes by name');
  expect(isCount(head!.entities), 'entities', 'a number from 1 on');
  expect(isCount(head!.shard), 'shard', 'a number from 1 on');
  expect(isCount(head!.bytesPerEntity), 'bytesPerEntity', 'a number from 1 on');
  expect(coversAll(head as IndexHead), 'shards', 'files that follow each other up to the last entity');
  return head as IndexHead;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function isRecordOf(value: unknown, type: 'string' | 'object'): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((own) => typeof own === type && own !== null)
  );
}

function isLayout(value: unknown): boolean {
  return (
    isRecordOf(value, 'object') &&
    Object.values(value as SideLayout).every(
      ({ columns, rows, precision }) =>
        isCount(columns) &&
        ['entity', 'token'].includes(rows) &&
        ['float32', 'float16', 'int8'].includes(precision),
    )
  );
}

/** Whether the shards are files of one build beside index.json, all but the last of one size, up to the last entity. */
function coversAll({ shards, shard: size, entities }: IndexHead): boolean {
  if (!Array.isArray(shards) || shards.length !== Math.ceil(entities / size)) return false;
  const build = buildOf(String(shards[0]?.file));
  return shards.every(
    (shard, i) =>
      build !== null &&
      shard?.file === shardName(build, i) &&
      shard.first === i * size &&
      shard.count === Math.min(size, entities - i * size),
  );
}

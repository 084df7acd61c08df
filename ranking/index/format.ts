// The form of an entity index: a folder with index.json, which says what the index was made from, and shards of consecutive
// entities, safetensors files:
//   records           u8, an entity's after the other: all parts of the scorer's layout (records.ts), in the index's dtype,
//                     or more where a part does not bear so little
//   records.starts    [entities + 1], i32: where each record begins, in words of 4 bytes
//   retrieval         [entities, columns]: the part that dense retrieval compares once more, in the index's dtype
//   retrieval.scales  [entities, 1]: where that is int8, what a row is multiplied by, float16
//   gate              [entities, parts], float32: the gate's logits once more, where it looks at entities
//   has_no_image      [entities], u8: 1 for entities without an image
// What is looked at of all entities, before any is scored, lies together; what is looked at of few, by entity. index.json is
// written last and at once: without it, or beside shards that it does not name, there is no index. Shards are named after what
// they are made from, so that a new index can be built beside the one that is in use.

import { WeightsError } from '../../files/errors.ts';
import { parseCheckedJson } from '../../files/json/checked-json.ts';
import type { SafetensorsDtype } from '../../weights/safetensors.ts';
import type { SideLayout, SidePart } from '../scorer.ts';

/** Raise it when the form of shards or the meaning of their tensors changes. */
export const indexVersion = 4;

export const indexDtypes = ['int8', 'float16', 'float32'] as const;
/**
 * How vectors are stored, where their part bears it. int8: rows of tokens only and what retrieval compares, the rest in
 * float16.
 */
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
  /** The part of the layout that dense retrieval compares; null for none. */
  retrieval: string | null;
  dtype: IndexDtype;
  fingerprints: Fingerprints;
  /** Where what it was made by lies, by names of the maker's choice, for whoever opens it. */
  origin: Readonly<Record<string, string>>;
  entities: number;
  /** Entities a shard; the last may have fewer. */
  shard: number;
  /** Of all shards' tensors. */
  bytes: number;
  bytesPerEntity: number;
  shards: ShardInfo[];
  /** The file of the entities' records (data/entity-records.ts); null for none. */
  records: string | null;
}

export const headName = 'index.json';
/** The fingerprint of the entities themselves, their images' contents included. */
export const entitiesName = 'knowledge base';
export const recordsName = 'records';
export const startsName = 'records.starts';
export const retrievalName = 'retrieval';
export const logitsName = 'gate';
export const noImageName = 'has_no_image';

export function scalesName(part: string): string {
  return `${part}.scales`;
}

/** How the rows that retrieval compares are stored in an index of a dtype. */
export function retrievalStoredAs(dtype: IndexDtype): 'F32' | 'F16' | 'I8' {
  return ({ float32: 'F32', float16: 'F16', int8: 'I8' } as const)[dtype];
}

/** How a part is stored in an index of a dtype. */
export function storedAs(
  { precision }: SidePart,
  dtype: IndexDtype,
): SafetensorsDtype & ('F32' | 'F16' | 'I8') {
  if (dtype === 'float32' || precision === 'float32') return 'F32';
  return dtype === 'int8' && precision === 'int8' ? 'I8' : 'F16';
}

/** The file of a shard; `hash` is of all that it is made from. */
export function shardName(hash: string, number: number): string {
  return `shard-${hash.slice(0, hashDigits)}-${String(number).padStart(5, '0')}.safetensors`;
}

/** The file of the entities' records; `hash` is that of the knowledge base. */
export function recordsFile(hash: string): string {
  return `entities-${hash.slice(0, hashDigits)}.bin`;
}

/** Whether a file is named like one of an index. */
export function isFileOfIndex(name: string): boolean {
  return /^shard-[0-9a-f]{16}-\d{5,}\.safetensors$|^entities-[0-9a-f]{16}\.bin$/.test(name);
}

const hashDigits = 16;

/** Checks the text of index.json. Throws InputError. */
export function parseHead(path: string, text: string): IndexHead {
  const head: Partial<IndexHead> = parseCheckedJson(path, text, indexVersion, 'build the index again');
  const expect = (holds: boolean, field: string, what: string) => {
    if (!holds) throw new WeightsError({ file: path, field, expected: what });
  };
  expect(typeof head.scorer === 'string', 'scorer', 'a name');
  expect(isLayout(head.layout), 'layout', 'columns, rows and precision by part');
  expect(
    head.retrieval === null || Object.hasOwn(head.layout!, head.retrieval!),
    'retrieval',
    'a part of the layout',
  );
  expect(
    indexDtypes.some((dtype) => dtype === head.dtype),
    'dtype',
    indexDtypes.join(', '),
  );
  expect(isRecordOf(head.fingerprints, 'string'), 'fingerprints', 'hashes by name');
  expect(isRecordOf(head.origin, 'string'), 'origin', 'paths by name');
  expect(isCount(head.entities), 'entities', 'a number from 1 on');
  expect(isCount(head.shard), 'shard', 'a number from 1 on');
  expect(isCount(head.bytesPerEntity), 'bytesPerEntity', 'a number from 1 on');
  const { records } = head;
  expect(records === null || isFileOfIndex(String(records)), 'records', "the name of the records' file");
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

/** Whether the shards are files beside index.json, all but the last of one size, up to the last entity. */
function coversAll({ shards, shard: size, entities }: IndexHead): boolean {
  if (!Array.isArray(shards) || shards.length !== Math.ceil(entities / size)) return false;
  return shards.every(
    (shard, i) =>
      isFileOfIndex(String(shard?.file)) &&
      shard.first === i * size &&
      shard.count === Math.min(size, entities - i * size),
  );
}

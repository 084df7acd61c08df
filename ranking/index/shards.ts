// The files of an index, opened and checked before anything of them is used.

import { WeightsError } from '../../files/errors.ts';
import type { Answering } from '../../link/linking-model.ts';
import type { ExpertKind } from '../../model/dsmip/experts.ts';
import { openSafetensors, type Safetensors } from '../../weights/safetensors.ts';
import { columnsOf, type IndexHead, indexDtypes, indexVersion } from './format.ts';

/** An open shard. */
export interface Shard {
  file: Safetensors;
  first: number;
  count: number;
  /** By expert where each entity's queries begin. */
  starts: Map<ExpertKind, Int32Array<ArrayBuffer>>;
}

/** Checks the text of index.json. Throws WeightsError. */
export function parseHead(path: string, text: string): IndexHead {
  let head: Partial<IndexHead> | null = null;
  try {
    head = JSON.parse(text) as Partial<IndexHead>;
  } catch {
    // Said below.
  }
  const isHead =
    head?.version === indexVersion &&
    typeof head.belongs === 'string' &&
    Number.isSafeInteger(head.entities) &&
    indexDtypes.some((dtype) => dtype === head?.dtype) &&
    Array.isArray(head.experts) &&
    Array.isArray(head.shards) &&
    coversAll(head.shards, head.entities!);
  if (!isHead) throw new WeightsError(`${path}: expected the head of an index of version ${indexVersion}`);
  return head as IndexHead;
}

/** Whether the shards follow each other, all but the last of one size, up to the last entity. */
function coversAll(shards: IndexHead['shards'], entities: number): boolean {
  const size = shards[0]?.count ?? 0;
  return (
    shards.length === Math.ceil(entities / size) &&
    shards.every(({ first, count }, i) => first === i * size && count === Math.min(size, entities - first))
  );
}

/** Opens a shard and holds its tensors' shapes against what the head says. Throws WeightsError. */
export async function openShard(
  path: string,
  { belongs, dtype }: IndexHead,
  { first, count }: IndexHead['shards'][number],
  { experts, dsmip }: Answering,
): Promise<Shard> {
  const file = await openSafetensors(path);
  try {
    const { metadata } = file;
    if (
      metadata['belongs'] !== belongs ||
      metadata['first'] !== `${first}` ||
      metadata['count'] !== `${count}`
    )
      throw new WeightsError(`${path}: is not the shard that index.json means`);
    const expect = (name: string, type: string, shape: readonly (number | null)[]) => {
      const found = file.info(name);
      const fits =
        found.dtype === type &&
        found.shape.length === shape.length &&
        shape.every((n, i) => n === null || n === found.shape[i]);
      if (fits) return;
      const wanted = `${type} [${shape.map((n) => n ?? '.')}]`;
      throw new WeightsError(
        `${path}: tensor '${name}': expected ${wanted}, found ${found.dtype} [${found.shape}]`,
      );
    };
    const starts: Shard['starts'] = new Map();
    const stored = dtype === 'float32' ? 'F32' : 'F16';
    for (const { kind, config } of experts) {
      const { hidden: h, clip } = config;
      const { cls, vision, crossModal, bias, visionScalars } = columnsOf(kind, h);
      expect(`${kind}.rows`, stored, [count, cls + vision + crossModal]);
      expect(`${kind}.scalars`, 'F32', [count, bias + visionScalars]);
      if (cls === 0) continue;
      expect(`${kind}.global`, stored, [count, clip.projection]);
      expect(`${kind}.queries`, dtype === 'int8' ? 'I8' : stored, [null, h]);
      const [tokens] = file.info(`${kind}.queries`).shape;
      if (dtype === 'int8') expect(`${kind}.queryScales`, stored, [tokens!, 1]);
      expect(`${kind}.first`, 'I32', [count + 1]);
      starts.set(kind, checkedStarts(path, kind, await file.readIntegers(`${kind}.first`), file));
    }
    if (dsmip?.by === 'pair') expect('gate', 'F32', [count, experts.length]);
    return { file, first, count, starts };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function checkedStarts(path: string, kind: ExpertKind, starts: Int32Array<ArrayBuffer>, file: Safetensors) {
  const [rows] = file.info(`${kind}.queries`).shape;
  const isRising = starts.every((start, i) => start > (i === 0 ? -1 : starts[i - 1]!));
  if (starts[0] !== 0 || starts.at(-1) !== rows || !isRising) {
    throw new WeightsError(`${path}: tensor '${kind}.first': expected rising numbers from 0 to ${rows}`);
  }
  return starts;
}

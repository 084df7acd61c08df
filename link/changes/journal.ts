// INDEX/changes.log: entities that were put and deleted since an index was built, in the order in which that happened. It is
// appended to only, and what was appended is on the disk before anyone is told that it is done.
//
//   head     32 bytes: 'DSMIPCHG', version (u32), the file's random number (u32), CRC-32 of these 16 bytes (u32), where the
//            frames end that somebody was told of (u64), CRC-32 of that number, going on from the file's (u32)
//   frames   of changes that were made together: bytes of the changes (u32), CRC-32 of where the frame begins (u64) and of
//            that number, going on from the file's (u32), CRC-32 of the changes (u32), and the changes, each with the bytes
//            of its JSON (u32), the bytes of its image (u32), its JSON and its image's file
//
// JSON is {"put": {qid, name, aliases, attributes}} or {"delete": qid}; only what is put has an image, of 0 bytes for none. All
// numbers are little-endian. A process that is killed leaves a part of a frame at most behind the end that the head has, which
// nobody was told is done: it is cut off. What is not whole before that end is damage. Knows nothing of what entities are
// encoded by, so that an index that is built again keeps its changes.

import * as v from 'valibot';
import { syncFolderOf, type WritableFile, writeAt, writeFileAtomically } from '../../files/atomic-file.ts';
import { type ByteSource, openFile } from '../../files/byte-source.ts';
import { crc32 } from '../../files/crc32.ts';
import { fileError, InputError, MissingFileError } from '../../files/errors.ts';
import { type FolderLock, lockName } from '../../files/folder-lock.ts';
import { joinedBytes } from '../../files/joined-bytes.ts';
import { parseBySchema } from '../../files/json/schema.ts';

/** Raise it when the form of frames or the meaning of changes changes. */
const version = 2;
const magic = 'DSMIPCHG';
const headBytes = 32;
/** Where the head has the end. */
const endAt = 20;
const frameHeadBytes = 12;
/** Frames of more bytes are none. */
const mostFrameBytes = 2 ** 30;
/** Changes that are handed out together, and bytes of them. */
const most = { changes: 128, bytes: 2 ** 26 };
/** A file with so many bytes of changes that others replaced is written anew when it is opened. */
const mostStaleBytes = 2 ** 20;

const changeSchema = v.union([
  v.strictObject({
    put: v.strictObject({
      qid: v.string(),
      name: v.string(),
      aliases: v.array(v.string()),
      attributes: v.string(),
    }),
  }),
  v.strictObject({ delete: v.string() }),
]);

/** An entity as it is put. */
export interface PutEntity {
  qid: string;
  name: string;
  aliases: string[];
  attributes: string;
  /** The bytes of its image's file, null for none. */
  image: Uint8Array | null;
}

/** What happens to an entity. */
export type Change = { put: PutEntity } | { delete: string };

/** What it needs of Node's FileHandle. */
interface OpenFile extends WritableFile {
  truncate(length: number): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** A journal that can be appended to: one process has it at a time. */
export class Journal {
  readonly #path: string;
  readonly #file: OpenFile;
  readonly #lock: FolderLock;
  readonly #salt: number;
  #end: number;
  /** What is behind `end` has to be cut off first. */
  #isTorn = false;

  /** Made by `openJournal`. */
  constructor(path: string, file: OpenFile, lock: FolderLock, { salt, end }: Pick<Contents, 'salt' | 'end'>) {
    this.#path = path;
    this.#file = file;
    this.#lock = lock;
    this.#salt = salt;
    this.#end = end;
  }

  /** Appends changes, all or none; they are on the disk when it resolves. Not twice at a time. Throws InputError. */
  async append(changes: readonly Change[]): Promise<void> {
    const frame = frameOf(changes, this.#salt, this.#end);
    try {
      if (this.#isTorn) await this.#file.truncate(this.#end);
      this.#isTorn = true;
      await writeAt(this.#file, frame, this.#end);
      await this.#file.datasync();
      // With the next frame it is on the disk as well; until then the frame is found behind the end.
      await writeAt(this.#file, endOf(this.#end + frame.length, this.#salt), endAt);
    } catch (error) {
      throw fileError(this.#path, error, 'written');
    }
    this.#isTorn = false;
    this.#end += frame.length;
  }

  async close(): Promise<void> {
    await this.#file.close();
    await this.#lock.release();
  }
}

/**
 * Opens the journal at a path for appending, or begins one. What a kill left of a frame is cut off; where most of a large file
 * has been replaced by later changes, it is written anew without that. Throws InputError where another process has it, for
 * another version and for damage.
 */
export async function openJournal(path: string): Promise<Journal> {
  const { open } = await import('node:fs/promises');
  const lock = await lockName(path);
  try {
    const found = await readContents(path);
    const contents = !found || isStale(found) ? await rewrite(path, found?.places ?? []) : found;
    const file = await open(path, 'r+').catch((error) => {
      throw fileError(path, error, 'written');
    });
    await file.truncate(contents.end);
    await writeAt(file, endOf(contents.end, contents.salt), endAt);
    await file.sync();
    await syncFolderOf(path);
    return new Journal(path, file, lock, contents);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * The last change of each entity in the journal at a path, in the order of the changes, some at a time; none where there is no
 * file. Throws InputError for another version and for damage.
 */
export async function* readChanges(path: string): AsyncGenerator<Change[]> {
  const contents = await readContents(path);
  if (contents && contents.places.length > 0) yield* lastChanges(path, contents.places);
}

/** Where a change lies. */
interface Place {
  at: number;
  bytes: number;
}

interface Contents {
  /** The file's random number. */
  salt: number;
  /** Of the last change of each entity, in the order of the changes. */
  places: Place[];
  /** Where the whole frames end. */
  end: number;
}

/** Null where there is no file. */
async function readContents(path: string): Promise<Contents | null> {
  const source = await openFile(path).catch((error: unknown) => {
    if (error instanceof MissingFileError) return null;
    throw error;
  });
  if (!source) return null;
  try {
    const { salt, end: told } = await readHead(source);
    const last = new Map<string, Place>();
    let end = headBytes;
    for (;;) {
      const frame = await frameAt(source, end, salt);
      if (frame === null || (end < told && end + frameHeadBytes + frame.length > told)) break;
      for (const { at, bytes, change } of changesIn(path, frame)) {
        const qid = 'put' in change ? change.put.qid : change.delete;
        last.delete(qid);
        last.set(qid, { at: end + frameHeadBytes + at, bytes });
      }
      end += frameHeadBytes + frame.length;
    }
    if (end < told) throw new InputError(`${source.name}: damaged at byte ${end} (wrong checksum)`);
    return { salt, places: [...last.values()], end };
  } finally {
    await source.close();
  }
}

/** The file's random number, and where the frames end that somebody was told of. */
async function readHead(source: ByteSource): Promise<{ salt: number; end: number }> {
  const head = source.size < headBytes ? new Uint8Array(headBytes) : await source.read(0, headBytes);
  const view = new DataView(head.buffer);
  if (new TextDecoder('latin1').decode(head.subarray(0, magic.length)) !== magic) {
    throw new InputError(`${source.name}: not a file of changes`);
  }
  const found = view.getUint32(8, true);
  if (found !== version) {
    throw new InputError(`${source.name}: expected version ${version} of changes, found ${found}`);
  }
  const salt = view.getUint32(12, true);
  const isWhole =
    view.getUint32(16, true) === crc32(head.subarray(0, 16)) &&
    view.getUint32(endAt + 8, true) === crc32(head.subarray(endAt, endAt + 8), salt);
  if (!isWhole) throw new InputError(`${source.name}: its head is damaged (wrong checksum)`);
  return { salt, end: Number(view.getBigUint64(endAt, true)) };
}

/** The changes of a frame; null where no whole frame begins. */
async function frameAt(source: ByteSource, at: number, salt: number): Promise<Uint8Array | null> {
  if (at + frameHeadBytes > source.size) return null;
  const head = await source.read(at, frameHeadBytes);
  const view = new DataView(head.buffer);
  const bytes = view.getUint32(0, true);
  if (bytes === 0 || bytes > Math.min(source.size - at - frameHeadBytes, mostFrameBytes)) return null;
  if (view.getUint32(4, true) !== lengthChecksum(head.subarray(0, 4), salt, at)) return null;
  const changes = await source.read(at + frameHeadBytes, bytes);
  return view.getUint32(8, true) === crc32(changes) ? changes : null;
}

/** Of a frame's length and place, so that no frame is taken for another. */
function lengthChecksum(length: Uint8Array, salt: number, at: number): number {
  return crc32(length, crc32(u64(at), salt));
}

/** The end as the head has it. */
function endOf(end: number, salt: number): Uint8Array {
  const bytes = u64(end);
  return joinedBytes([bytes, u32(crc32(bytes, salt))]);
}

function* changesIn(
  path: string,
  frame: Uint8Array,
): Generator<{ at: number; bytes: number; change: Change }> {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  for (let at = 0; at < frame.length; ) {
    const bytes = 8 + view.getUint32(at, true) + view.getUint32(at + 4, true);
    yield { at, bytes, change: parseChange(path, frame.subarray(at, at + bytes)) };
    at += bytes;
  }
}

function parseChange(path: string, bytes: Uint8Array): Change {
  const textBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + textBytes));
  const change = parseBySchema(path, changeSchema, JSON.parse(text));
  if (!('put' in change)) return change;
  const image = bytes.slice(8 + textBytes);
  return { put: { ...change.put, image: image.length === 0 ? null : image } };
}

async function* lastChanges(path: string, places: readonly Place[]): AsyncGenerator<Change[]> {
  const source = await openFile(path);
  try {
    let [some, bytes]: [Change[], number] = [[], 0];
    for (const place of places) {
      some.push(parseChange(path, await source.read(place.at, place.bytes)));
      bytes += place.bytes;
      if (some.length < most.changes && bytes < most.bytes) continue;
      yield some;
      [some, bytes] = [[], 0];
    }
    if (some.length > 0) yield some;
  } finally {
    await source.close();
  }
}

function isStale({ places, end }: Contents): boolean {
  const live = places.reduce((sum, { bytes }) => sum + bytes, 0);
  return end - live > mostStaleBytes && end > 2 * live;
}

/** Writes a file anew, of these changes of it. */
async function rewrite(path: string, places: readonly Place[]): Promise<Pick<Contents, 'salt' | 'end'>> {
  const salt = crypto.getRandomValues(new Uint32Array(1))[0]!;
  let end = headBytes;
  await writeFileAtomically(path, async (append, patch) => {
    await append(headOf(salt));
    if (places.length === 0) return;
    for await (const changes of lastChanges(path, places)) {
      const frame = frameOf(changes, salt, end);
      await append(frame);
      end += frame.length;
    }
    await patch(endAt, endOf(end, salt));
  });
  return { salt, end };
}

function headOf(salt: number): Uint8Array {
  const head = new Uint8Array(headBytes);
  const view = new DataView(head.buffer);
  head.set(new TextEncoder().encode(magic));
  view.setUint32(8, version, true);
  view.setUint32(12, salt, true);
  view.setUint32(16, crc32(head.subarray(0, 16)), true);
  head.set(endOf(headBytes, salt), endAt);
  return head;
}

/** The frame that begins at byte `at`. */
function frameOf(changes: readonly Change[], salt: number, at: number): Uint8Array {
  const encoder = new TextEncoder();
  const parts = changes.flatMap((change) => {
    const { image = null, ...put } = 'put' in change ? change.put : {};
    const text = encoder.encode(JSON.stringify('put' in change ? { put } : change));
    const file = image ?? new Uint8Array(0);
    return [u32(text.length), u32(file.length), text, file];
  });
  const bytes = joinedBytes(parts);
  const length = u32(bytes.length);
  return joinedBytes([length, u32(lengthChecksum(length, salt, at)), u32(crc32(bytes)), bytes]);
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

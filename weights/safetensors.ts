// Reads safetensors files: eight bytes of header length, a JSON header, then the tensors'
// bytes in little-endian order (the documentation of safetensors, "Format"). Tensors are read one by
// one or in parts from where they lie; nothing is held twice. Knows nothing of devices and of networks.

import { allocate, type ByteSource } from '../files/byte-source.ts';
import { WeightsError } from '../files/errors.ts';
import { openSource } from '../files/locate.ts';
import { bf16ToF32, f16ToF32 } from './half.ts';
import { bytesOf, parseHeader, type SafetensorsDtype, type TensorInfo } from './safetensors-header.ts';
import {
  blockBytes,
  damagedBlock,
  hasLostChecksum,
  isHeaderWhole,
  splitMetadata,
} from './tensor-checksums.ts';

export type { SafetensorsDtype, TensorInfo } from './safetensors-header.ts';

/** Bytes that are checked while the next ones are read. */
const pieceBytes = 64 * blockBytes;
/** Bytes that are in memory at once while a tensor is verified. */
const verifiedBytes = 256 * blockBytes;

/** The format's own limit, against headers made to exhaust memory. */
const mostHeaderBytes = 100_000_000;

/** Elements as they are stored; F16 and BF16 as their bits. */
export type StoredArray =
  | Float64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

const storedAs = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const satisfies Record<SafetensorsDtype, unknown>;

/** Opens the file at a path or an http(s) address; see `readSafetensors`. */
export async function openSafetensors(where: string): Promise<Safetensors> {
  const source = await openSource(where);
  try {
    return await readSafetensors(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * Reads and checks the header of a safetensors file. Throws WeightsError, one line with the file and the tensor,
 * for whatever is wrong with it: no number from the header is used before it was held against the file's size. Where the
 * file has checksums, as all that we write have, whatever is read later is held against them.
 */
export async function readSafetensors(source: ByteSource): Promise<Safetensors> {
  const bad = (what: string) => new WeightsError(`${source.name}: ${what}`);
  if (source.size < 8) throw bad(`not a safetensors file: ${source.size} bytes, expected at least 8`);
  const length = new DataView((await source.read(0, 8)).buffer).getBigUint64(0, true);
  if (length > BigInt(mostHeaderBytes)) {
    throw bad(`not a safetensors file: a header of ${length} bytes, expected at most ${mostHeaderBytes}`);
  }
  if (length > BigInt(source.size - 8)) {
    throw bad(`truncated: a header of ${length} bytes in a file of ${source.size}`);
  }
  const header = await source.read(8, Number(length));
  const start = 8 + header.length;
  const isWhole = isHeaderWhole(header);
  if (isWhole === false) throw bad('damaged: the header is not what its checksum says');
  const parsed = parseHeader(source.name, header, source.size - start);
  if (isWhole === null && hasLostChecksum(parsed.metadata, parsed.tensors)) {
    throw bad('damaged: the header has lost its checksum');
  }
  const { metadata, sums } =
    isWhole === null ? { metadata: parsed.metadata, sums: new Map() } : splitMetadata(parsed.metadata);
  return new Safetensors(source, start, parsed.tensors, metadata, sums);
}

/** An open safetensors file. */
export class Safetensors {
  /** Names of the tensors, in the order of their bytes in the file. */
  readonly names: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  /** What the file is called in errors. */
  readonly file: string;
  #source: ByteSource;
  #start: number;
  #tensors: ReadonlyMap<string, TensorInfo>;
  /** Hexadecimal checksums by tensor, of files that have them. */
  #sums: ReadonlyMap<string, string>;
  /** By tensor which blocks were found to be whole: each is checked once. */
  #checked = new Map<string, Uint8Array>();

  /** Made by `readSafetensors`; the tensors' offsets count from byte `start` of the source. */
  constructor(
    source: ByteSource,
    start: number,
    tensors: ReadonlyMap<string, TensorInfo>,
    metadata: Readonly<Record<string, string>>,
    sums: ReadonlyMap<string, string>,
  ) {
    this.names = [...tensors.keys()];
    this.metadata = metadata;
    this.file = source.name;
    this.#source = source;
    this.#start = start;
    this.#tensors = tensors;
    this.#sums = sums;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** What the file says of a tensor. Throws WeightsError when it has none of that name. */
  info(name: string): TensorInfo {
    const info = this.#tensors.get(name);
    if (!info) throw new WeightsError(`${this.#source.name}: tensor '${name}' is missing`);
    return info;
  }

  /**
   * The elements as they are stored, F16 and BF16 as bits: all, or `count` of them from number `first` on. Throws
   * WeightsError where they are not what their checksums say.
   */
  async read(name: string, first = 0, count = this.#elements(name) - first): Promise<StoredArray> {
    return this.#read(name, first, count, null);
  }

  /** The same in memory of the caller's where that is enough: `neededBytes` of it. The result is a view of it then. */
  readInto(
    name: string,
    first: number,
    count: number,
    memory: Uint8Array<ArrayBuffer>,
  ): Promise<StoredArray> {
    return this.#read(name, first, count, memory);
  }

  /** Bytes of memory that `readInto` can do with for `count` elements: what is checked with them as well. */
  neededBytes(name: string, count: number): number {
    return count * bytesOf[this.info(name).dtype] + 2 * blockBytes;
  }

  async #read(name: string, first: number, count: number, memory: Uint8Array<ArrayBuffer> | null) {
    const { dtype } = this.info(name);
    const elementBytes = bytesOf[dtype];
    const data = await this.#bytes(name, first * elementBytes, count * elementBytes, memory);
    // A view and no copy. Every platform of WebGPU is little-endian.
    return new storedAs[dtype](data.buffer, data.byteOffset, count);
  }

  /** The elements of an F32, F16 or BF16 tensor, or a part, as float32. Throws WeightsError for other dtypes. */
  async readFloats(name: string, first?: number, count?: number): Promise<Float32Array<ArrayBuffer>> {
    const { dtype } = this.info(name);
    if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
      throw new WeightsError(`${this.#source.name}: tensor '${name}' is ${dtype}, expected F32, F16 or BF16`);
    }
    const data = await this.read(name, first, count);
    if (dtype === 'F32') return data as Float32Array<ArrayBuffer>;
    return (dtype === 'F16' ? f16ToF32 : bf16ToF32)(data as Uint16Array<ArrayBuffer>);
  }

  /**
   * The elements of an I32, I64, U8 or BOOL tensor as int32. Throws WeightsError for other dtypes and for a
   * value that an int32 cannot hold.
   */
  async readIntegers(name: string): Promise<Int32Array<ArrayBuffer>> {
    const { dtype } = this.info(name);
    if (dtype !== 'I32' && dtype !== 'I64' && dtype !== 'U8' && dtype !== 'BOOL') {
      throw new WeightsError(
        `${this.#source.name}: tensor '${name}' is ${dtype}, expected I32, I64, U8 or BOOL`,
      );
    }
    const data = await this.read(name);
    if (data instanceof Int32Array) return data;
    if (!(data instanceof BigInt64Array)) return Int32Array.from(data as Uint8Array);
    return Int32Array.from(data, (value) => {
      if (BigInt.asIntN(32, value) === value) return Number(value);
      throw new WeightsError(`${this.#source.name}: tensor '${name}' holds ${value}, which is no int32`);
    });
  }

  /** Reads all of a tensor, to find damage before parts of it are used. Throws WeightsError where there is some. */
  async verify(name: string): Promise<void> {
    const { bytes } = this.info(name);
    if (!this.#sums.has(name)) return;
    for (let at = 0; at < bytes; at += verifiedBytes) {
      await this.#bytes(name, at, Math.min(verifiedBytes, bytes - at));
    }
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  /**
   * `length` bytes of a tensor from byte `first` of it on, in `memory` if that is large enough, else in a buffer of their own;
   * checked where there are checksums.
   */
  async #bytes(
    name: string,
    first: number,
    length: number,
    memory: Uint8Array<ArrayBuffer> | null = null,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { offset, bytes } = this.info(name);
    const start = this.#start + offset;
    const sums = this.#sums.get(name);
    const checked = this.#checked.get(name) ?? new Uint8Array(Math.ceil(bytes / blockBytes));
    const block = Math.floor(first / blockBytes);
    const end = Math.ceil((first + length) / blockBytes);
    if (sums === undefined || checked.subarray(block, end).every((each) => each === 1)) {
      if (memory === null || memory.length < length || !this.#source.readInto) {
        return this.#source.read(start + first, length);
      }
      const part = memory.subarray(0, length);
      await this.#source.readInto(start + first, part);
      return part;
    }
    const from = block * blockBytes;
    const wholeBytes = Math.min(bytes, end * blockBytes) - from;
    const isOwn = memory === null || memory.length < wholeBytes;
    const whole = isOwn ? allocate(this.#source.name, wholeBytes) : memory.subarray(0, wholeBytes);
    // The next piece is read while one is checked: on two cores the checking costs next to nothing.
    const { readInto } = this.#source;
    const piece = readInto === undefined ? whole.length : pieceBytes;
    const fill = async (at: number): Promise<void> => {
      const part = whole.subarray(at, at + piece);
      if (readInto === undefined) part.set(await this.#source.read(start + from + at, part.length));
      else await readInto(start + from + at, part);
    };
    let next = fill(0);
    for (let at = 0; at < whole.length; at += piece) {
      await next;
      if (at + piece < whole.length) next = fill(at + piece);
      const damaged = damagedBlock(whole.subarray(at, at + piece), sums, block + at / blockBytes);
      if (damaged < 0) continue;
      await next;
      throw new WeightsError(
        `${this.#source.name}: tensor '${name}': damaged: its bytes from ${damaged * blockBytes} on are not what their ` +
          'checksum says',
      );
    }
    checked.fill(1, block, end);
    this.#checked.set(name, checked);
    const asked = whole.subarray(first - from, first - from + length);
    return isOwn && whole.length !== length ? asked.slice() : asked;
  }

  #elements(name: string): number {
    const { dtype, bytes } = this.info(name);
    return bytes / bytesOf[dtype];
  }
}

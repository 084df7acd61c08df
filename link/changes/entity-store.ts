// The entities that a linker knows: those of an index, without those that were deleted or replaced since, and after them those
// that were put. Changes are in a journal beside the index; what is put is encoded as the index is, and kept in memory.

import { type EntityIds, readEntityIds } from '../../data/entity-ids.ts';
import { entityTexts } from '../../data/entity-mention.ts';
import type { EntityRecord, EntityRecords } from '../../data/entity-records.ts';
import { PixelSource } from '../../data/images/pixel-source.ts';
import { decodeInput } from '../../data/images/read-pixels.ts';
import { ChangingNames, matchName, type NameMatch } from '../../data/names/name-matches.ts';
import type { EntityEncoding } from '../../encoding/entity-samples.ts';
import { sampleTexts } from '../../encoding/samples.ts';
import { UsageError } from '../../files/errors.ts';
import { AddedShard } from '../../ranking/index/added-shard.ts';
import { KeptRows } from '../../ranking/index/kept-rows.ts';
import type { IndexSource } from '../../ranking/index/source.ts';
import type { EntitySource } from '../../ranking/sources.ts';
import { type Change, type Journal, openJournal, type PutEntity, readChanges } from './journal.ts';

/** What became of an entity. */
export type Outcome = 'created' | 'replaced' | 'deleted' | 'missing';

/** What is known of an entity; paths of images are nobody's business, and those that were put have none. */
export interface KnownEntity extends Omit<EntityRecord, 'images'> {
  images: number;
}

export interface EntityStoreParts {
  index: IndexSource;
  records: EntityRecords;
  encoding: EntityEncoding;
  /** Where the journal is, or would be; null for an index at an address, which has none. */
  journal: string | null;
}

/** An entity that was put. */
interface Added {
  /** Of all that were ever put. */
  serial: number;
  /** Its row in the shard in memory. */
  place: number;
  record: EntityRecord;
  hasImage: boolean;
}

/** Rows in memory that nobody asks for any more, at most, beside as many as are asked for. */
const mostStale = 256;

/**
 * Opens the entities of an index with the changes in its journal; `isWritable`: for more of them, which one process at a time
 * may make. Throws InputError for a damaged journal and where another process has it, UsageError where there can be none.
 */
export async function openEntityStore(parts: EntityStoreParts, isWritable: boolean): Promise<EntityStore> {
  const { journal } = parts;
  if (isWritable && journal === null) throw new UsageError('an index at an address cannot be changed');
  const opened = isWritable ? await openJournal(journal!) : null;
  try {
    const store = new EntityStore(parts, opened);
    if (journal !== null) for await (const changes of readChanges(journal)) await store.replay(changes);
    return store;
  } catch (error) {
    await opened?.close();
    throw error;
  }
}

export class EntityStore {
  readonly #parts: EntityStoreParts;
  readonly #journal: Journal | null;
  #ids: Promise<EntityIds> | null = null;
  #kept: KeptRows;
  #shard = new AddedShard();
  /** By id, in the order in which they were put. */
  readonly #added = new Map<string, Added>();
  readonly #names = new ChangingNames();
  #serials = 0;
  #view: View | null = null;

  /** Made by `openEntityStore`. */
  constructor(parts: EntityStoreParts, journal: Journal | null) {
    this.#parts = parts;
    this.#journal = journal;
    this.#kept = new KeptRows(parts.index.count);
  }

  get count(): number {
    return this.#kept.count + this.#added.size;
  }

  /** What a scoring pass has the entities from, as they are now. */
  get source(): EntitySource {
    return this.#current().source;
  }

  /** What is known of the entity in a row of `source`. */
  async read(row: number): Promise<KnownEntity> {
    const { count } = this.#kept;
    if (row < count) return knownEntity(await this.#parts.records.read(this.#kept.rowAt(row)));
    return addedEntity(this.#current().added[row - count]!);
  }

  /** The rows of `source` that a word may name. */
  matches(word: string): Promise<NameMatch[]> {
    const { records } = this.#parts;
    const [kept, { added, numbers }] = [this.#kept, this.#current()];
    if (added.length === 0 && kept.count === records.count) return records.matches(word);
    return matchName(word, {
      rowsOf: async (table, hash) => {
        const ofIndex = [...(await records.names.rowsOf(table, hash))].flatMap(
          (row) => kept.numberOf(row) ?? [],
        );
        const others = [...this.#names.rowsOf(table, hash)].map(
          (serial) => kept.count + numbers.get(serial)!,
        );
        return [...ofIndex, ...others];
      },
      namesOf: async (row) =>
        row < kept.count ? records.names.namesOf(kept.rowAt(row)) : namesOf(added[row - kept.count]!.record),
    });
  }

  /** The entity of an id; null where there is none. */
  async find(qid: string): Promise<KnownEntity | null> {
    const added = this.#added.get(qid);
    if (added) return addedEntity(added);
    const row = await this.#rowOf(qid);
    return row === null ? null : knownEntity(await this.#parts.records.read(row));
  }

  /**
   * Puts and deletes entities, all or none: on the disk and in `source` when it resolves. Not twice at a time. Throws
   * UsageError where the store is not writable and for an image that cannot be read, InputError where the journal cannot be
   * written.
   */
  async change(changes: readonly Change[]): Promise<Outcome[]> {
    if (!this.#journal)
      throw new UsageError('entities cannot be changed: the linker was not opened for that');
    for (const change of changes) if ('put' in change) await this.#checkImage(change.put);
    const outcomes = await this.#outcomes(changes);
    const real = changes.filter((_, i) => outcomes[i] !== 'missing');
    if (real.length === 0) return outcomes;
    const first = await this.#encode(real);
    await this.#journal.append(real);
    await this.#apply(real, first);
    return outcomes;
  }

  /** Takes in what the journal has. */
  async replay(changes: readonly Change[]): Promise<void> {
    await this.#apply(changes, await this.#encode(changes));
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }

  #current(): View {
    if (this.#view) return this.#view;
    const added = [...this.#added.values()];
    const { index } = this.#parts;
    const isChanged = added.length > 0 || this.#kept.count < index.count;
    const places = added.map(({ place }) => place);
    this.#view = {
      source: isChanged ? index.select(this.#kept, this.#shard, places) : index,
      added,
      numbers: new Map(added.map(({ serial }, i) => [serial, i])),
    };
    return this.#view;
  }

  /** The row of the index that has an id and is kept. */
  async #rowOf(qid: string): Promise<number | null> {
    this.#ids ??= readEntityIds(this.#parts.records);
    const row = await (await this.#ids).rowOf(qid);
    return row === null || this.#kept.numberOf(row) === null ? null : row;
  }

  async #checkImage({ qid, image }: PutEntity): Promise<void> {
    if (image === null) return;
    const decoded = await decodeInput(image, this.#parts.encoding.features.source.how);
    if ('problem' in decoded) throw new UsageError(`${qid}: image: ${decoded.problem}`);
  }

  /** What becomes of each entity when the changes are made in turn. */
  async #outcomes(changes: readonly Change[]): Promise<Outcome[]> {
    const isThere = new Map<string, boolean>();
    const outcomes: Outcome[] = [];
    for (const change of changes) {
      const qid = 'put' in change ? change.put.qid : change.delete;
      const before = isThere.get(qid) ?? (this.#added.has(qid) || (await this.#rowOf(qid)) !== null);
      isThere.set(qid, 'put' in change);
      if ('put' in change) outcomes.push(before ? 'replaced' : 'created');
      else outcomes.push(before ? 'deleted' : 'missing');
    }
    return outcomes;
  }

  /** Encodes what is put; gives the row of the first in the shard in memory. */
  async #encode(changes: readonly Change[]): Promise<number> {
    const puts = changes.flatMap((change) => ('put' in change ? change.put : []));
    if (puts.length === 0) return this.#shard.count;
    const { tokenizer, maxLength, features } = this.#parts.encoding;
    const files = [null, ...puts.map(({ image }) => image)];
    const samples = {
      ...sampleTexts(tokenizer, puts.map(entityTexts), maxLength),
      images: puts.map(({ image }, i) => (image === null ? [] : [i + 1])),
    };
    const source = new PixelSource(files, features.source.how);
    const sides = await this.#parts.index.encode({ samples, features: { ...features, files, source } });
    return this.#shard.append(sides);
  }

  /** `first`: where what was put lies in the shard in memory. */
  async #apply(changes: readonly Change[], first: number): Promise<void> {
    // Found before anything changes: reading may fail.
    const rows: (number | null)[] = [];
    for (const change of changes)
      rows.push(await this.#rowOf('put' in change ? change.put.qid : change.delete));
    let place = first;
    for (const [i, change] of changes.entries()) {
      const row = rows[i]!;
      if (row !== null) this.#kept = this.#kept.without(row);
      this.#removeAdded('put' in change ? change.put.qid : change.delete);
      if ('put' in change) this.#add(change.put, place++);
    }
    if (this.#shard.count > 2 * this.#added.size + mostStale) this.#dropStale();
    this.#view = null;
  }

  #add({ image, ...put }: PutEntity, place: number): void {
    const serial = this.#serials++;
    const record = { ...put, images: [] };
    this.#added.set(put.qid, { serial, place, record, hasImage: image !== null });
    this.#names.add(serial, namesOf(record));
  }

  #removeAdded(qid: string): void {
    const known = this.#added.get(qid);
    if (!known) return;
    this.#names.remove(known.serial, namesOf(known.record));
    this.#added.delete(qid);
  }

  #dropStale(): void {
    const added = [...this.#added.values()];
    this.#shard = this.#shard.picked(added.map(({ place }) => place));
    for (const [place, each] of added.entries()) each.place = place;
  }
}

/** The entities as they are between two changes. */
interface View {
  source: EntitySource;
  /** Those that were put, in the order of their rows. */
  added: readonly Added[];
  /** Which of these has a serial number. */
  numbers: ReadonlyMap<number, number>;
}

function knownEntity({ images, ...entity }: EntityRecord): KnownEntity {
  return { ...entity, images: images.length };
}

function addedEntity({ record, hasImage }: Added): KnownEntity {
  return { ...record, images: hasImage ? 1 : 0 };
}

function namesOf({ name, aliases }: Pick<EntityRecord, 'name' | 'aliases'>): string[] {
  return [name, ...aliases];
}

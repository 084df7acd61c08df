// The rows of entities by what the knowledge base calls them. A file of records finds rows by names and not by ids, so that its
// ids are read once and kept as hashes: 8 bytes an entity.

import type { EntityRecords } from './entity-records.ts';
import { HashTableBuilder, rowsOfHash, tableInMemory, textHash } from './names/hash-table.ts';

export class EntityIds {
  readonly #records: EntityRecords;
  readonly #table: ReturnType<typeof tableInMemory>;

  /** Made by `readEntityIds`. */
  constructor(records: EntityRecords, table: ReturnType<typeof tableInMemory>) {
    this.#records = records;
    this.#table = table;
  }

  /** The row of an id; null where no entity has it. Throws InputError where the file of records is damaged. */
  async rowOf(qid: string): Promise<number | null> {
    for (const row of (await rowsOfHash(...this.#table, textHash(qid)))!) {
      if ((await this.#records.read(row)).qid === qid) return row;
    }
    return null;
  }
}

/** Reads all ids of a file of records. Throws InputError where it is damaged. */
export async function readEntityIds(records: EntityRecords): Promise<EntityIds> {
  const builder = new HashTableBuilder();
  let row = 0;
  for await (const qid of records.qids()) builder.add(qid, row++);
  return new EntityIds(records, tableInMemory('entity ids', builder.parts()));
}

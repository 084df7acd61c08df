// Which entities a word may name, by their names and aliases: the alias table of a knowledge base. Two tables of hashes find
// rows without looking at others, by the form that a name shares with its plural and by forms that it shares with mistyped
// ones (symmetric deletion); the names of the rows found decide.

import type { Entity } from '../entity-mention.ts';
import { HashTableBuilder, rowsOfHash, tableInMemory, textHash } from './hash-table.ts';
import { exactForm, keyOf, nameKey, nearForms, similarity } from './name-form.ts';

/** An entity that a word may name. */
export interface NameMatch {
  row: number;
  /**
   * `exact`: a name of it is the word, but for case, accents, punctuation, an article and a possessive; or, where no
   * entity has such a name, for singular and plural too. `fuzzy`: the other number of a word that others have exactly; or,
   * where nobody has the word, a name that is a typing error or two away.
   */
  kind: 'exact' | 'fuzzy';
  /** 1 for exact matches, less for others. */
  similarity: number;
}

/** Finds the entities that a word may name: the first 100 by name, else the likest by edits; in the order of the rows. */
export interface NameFinder {
  matches(word: string): Promise<NameMatch[]>;
}

/** Where the tables and the names of entities are. */
export interface NameSource {
  /** Rows with an entry of this hash among the keys of names, and among forms near them. */
  rowsOf(table: NameTable, hash: number): Promise<Iterable<number>>;
  /** The name and the aliases of a row. */
  namesOf(row: number): Promise<readonly string[]>;
}

/** The two tables, in the order in which files have them. */
export const nameTables = ['keys', 'near'] as const;
export type NameTable = (typeof nameTables)[number];

/** Entities that a word may name, at most: what more there are is not a name that tells anything. */
const mostMatches = 100;
/** Entities whose names are looked at for a mistyped word, at most. */
const mostLookedAt = 400;
/** Of a word that another name has exactly, in the other number. */
const otherNumber = 0.9;

export async function matchName(word: string, source: NameSource): Promise<NameMatch[]> {
  const form = exactForm(word);
  if (form === '') return [];
  const key = keyOf(form);
  const [same, inflected]: [number[], number[]] = [[], []];
  for (const row of await source.rowsOf('keys', textHash(key))) {
    if (same.length === mostMatches) break;
    const forms = (await source.namesOf(row)).map(exactForm);
    if (forms.includes(form)) same.push(row);
    else if (forms.some((other) => keyOf(other) === key)) inflected.push(row);
  }
  const exact = same.length > 0 ? same : inflected.slice(0, mostMatches);
  if (exact.length === 0) return mistyped([...new Set([key, form])], source);
  const found = exact.map((row): NameMatch => ({ row, kind: 'exact', similarity: 1 }));
  if (exact === same) {
    for (const row of inflected.slice(0, mostMatches - same.length)) {
      found.push({ row, kind: 'fuzzy', similarity: otherNumber });
    }
  }
  return found.sort((a, b) => a.row - b.row);
}

/** `forms`: of the word, which as it stands may be a mistyped singular that looks like a plural. */
async function mistyped(forms: readonly string[], source: NameSource): Promise<NameMatch[]> {
  const rows = new Set<number>();
  for (const form of new Set(forms.flatMap(nearForms))) {
    for (const row of await source.rowsOf('near', textHash(form))) {
      if (rows.size < mostLookedAt) rows.add(row);
    }
  }
  const found: NameMatch[] = [];
  for (const row of rows) {
    const keys = (await source.namesOf(row)).map(nameKey);
    const alike = forms.flatMap((form) => keys.map((key) => similarity(form, key)));
    const best = Math.max(...alike);
    if (best > 0) found.push({ row, kind: 'fuzzy', similarity: best });
  }
  const likest = found.sort((a, b) => b.similarity - a.similarity || a.row - b.row).slice(0, mostMatches);
  return likest.sort((a, b) => a.row - b.row);
}

/** The texts by which an entity of these names stands in each table. */
function tableTexts(names: readonly string[]): Record<NameTable, ReadonlySet<string>> {
  const keys = new Set(names.map(nameKey));
  keys.delete('');
  return { keys, near: new Set([...keys].flatMap(nearForms)) };
}

/** Gathers the names of a knowledge base, row by row, for its two tables. */
export class NameTablesBuilder {
  readonly #tables = { keys: new HashTableBuilder(), near: new HashTableBuilder() };

  add(row: number, names: readonly string[]): void {
    const texts = tableTexts(names);
    for (const table of nameTables) for (const text of texts[table]) this.#tables[table].add(text, row);
  }

  /** The parts of the tables, in the order of `nameTables`. */
  parts(): ReturnType<HashTableBuilder['parts']>[] {
    return nameTables.map((table) => this.#tables[table].parts());
  }
}

/** The two tables of entities that come and go. */
export class ChangingNames {
  readonly #tables = { keys: new Map<number, Set<number>>(), near: new Map<number, Set<number>>() };

  add(row: number, names: readonly string[]): void {
    this.#each(names, (rows) => rows.add(row));
  }

  /** Takes an entity out that was added with these names. */
  remove(row: number, names: readonly string[]): void {
    this.#each(names, (rows) => rows.delete(row));
  }

  rowsOf(table: NameTable, hash: number): Iterable<number> {
    return this.#tables[table].get(hash) ?? [];
  }

  #each(names: readonly string[], change: (rows: Set<number>) => void): void {
    const texts = tableTexts(names);
    for (const table of nameTables) {
      for (const hash of new Set([...texts[table]].map(textHash))) {
        const rows = this.#tables[table].get(hash) ?? new Set();
        change(rows);
        if (rows.size > 0) this.#tables[table].set(hash, rows);
        else this.#tables[table].delete(hash);
      }
    }
  }
}

/** By mention the entities that its word may name. */
export function matchesOf(
  entities: readonly Pick<Entity, 'name' | 'aliases'>[],
  mentions: readonly { word: string }[],
): Promise<NameMatch[][]> {
  const table = aliasTable(entities);
  return Promise.all(mentions.map(({ word }) => table.matches(word)));
}

/** The alias table of entities in memory. Words that were asked for are remembered. */
export function aliasTable(entities: readonly Pick<Entity, 'name' | 'aliases'>[]): NameFinder {
  const builder = new NameTablesBuilder();
  const namesOf = ({ name, aliases }: Pick<Entity, 'name' | 'aliases'>) => [name, ...aliases];
  for (const [row, entity] of entities.entries()) builder.add(row, namesOf(entity));
  const tables = builder.parts().map((parts) => tableInMemory('alias table', parts));
  const source: NameSource = {
    rowsOf: async (table, hash) => (await rowsOfHash(...tables[nameTables.indexOf(table)]!, hash))!,
    namesOf: async (row) => namesOf(entities[row]!),
  };
  const known = new Map<string, Promise<NameMatch[]>>();
  return {
    matches(word) {
      const before = known.get(word) ?? matchName(word, source);
      known.set(word, before);
      return before;
    },
  };
}

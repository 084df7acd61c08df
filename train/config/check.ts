// Configurations checked once, at the door: what comes in is unknown, what goes on is typed. And what of a configuration
// decides a result, which is what a checkpoint is compared by.

import * as v from 'valibot';
import { oneLine, UsageError } from '../../files/errors.ts';
import { jsonOf } from '../../files/json/json-fields.ts';
import type { FieldInfo } from './fields.ts';

/** A schema of a configuration: sections of fields. */
export type ConfigSchema = v.GenericSchema<unknown, object>;

/** A field of a configuration has a value that is not valid, or does not go with something else. */
export class ConfigError extends UsageError {
  override name = 'ConfigError';
  /** The fields, 'training.batchSize', as the message names them: who knows them by other names can put those in. */
  readonly fields: readonly string[];

  constructor(fields: readonly string[], message: string) {
    super(message);
    this.fields = fields;
  }
}

/** The error of one field: 'training.batchSize: expected an integer of at least 2, found 1'; `expected` may name others. */
export function fieldError(field: string, expected: string, found?: unknown): ConfigError {
  return new ConfigError(
    [field, ...(expected.match(/\b[a-z]\w*\.[a-z]\w*\b/g) ?? [])],
    `${field}: expected ${expected}${found === undefined ? '' : `, found ${shown(found)}`}`,
  );
}

/** Checks a configuration and fills in defaults. Throws ConfigError for the first field that is not valid. */
export function checkConfig<S extends ConfigSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const { success, output, issues } = v.safeParse(schema, value, { abortEarly: true });
  if (success) return output;
  const [issue] = issues;
  const field = fieldPath(issue) || 'configuration';
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    throw new ConfigError([field], `${field}: there is no such field`);
  }
  if (issue.type === 'strict_object') {
    throw fieldError(
      field,
      issue.input === undefined ? 'a value' : 'an object of fields',
      issue.input ?? 'nothing',
    );
  }
  throw fieldError(field, issue.message, valueAt(value as object, field) ?? issue.input ?? 'nothing');
}

/** Where an issue is; a list is a field as a whole. */
function fieldPath(issue: v.BaseIssue<unknown>): string {
  const path: readonly v.IssuePathItem[] = issue.path ?? [];
  const inList = path.findIndex(({ type }) => type === 'array');
  return (inList < 0 ? path : path.slice(0, inList)).map(({ key }) => String(key)).join('.');
}

/** A field with its place and its default, where it has one. */
export interface Field extends FieldInfo {
  /** 'training.batchSize' */
  path: string;
  default: unknown;
}

/** All fields of a schema, in its order. */
export function fieldsOf(schema: ConfigSchema): Field[] {
  return collected(schema as Entry, '');
}

/**
 * Values by the paths of the fields that decide a result. What was stored before a field was there has the field's
 * default; what it has beyond these fields counts for nothing.
 */
export function decidingValues(schema: ConfigSchema, config: object): Map<string, unknown> {
  const deciding = fieldsOf(schema).filter(({ decides = true }) => decides);
  return new Map(deciding.map(({ path, default: usual }) => [path, valueAt(config, path) ?? usual]));
}

/** A configuration as a checkpoint keeps it: whole, but for where things lie. */
export function withoutPlaces(schema: ConfigSchema, config: object): object {
  const kept = fieldsOf(schema).filter(({ isPlace = false }) => !isPlace);
  return kept.reduce<object>((whole, { path }) => withValue(whole, path, valueAt(config, path)), {});
}

/** The value at a path of an object; undefined where there is none. */
export function valueAt(config: object, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined),
      config,
    );
}

/** A copy of an object with another value at a path; sections are made where they are missing. */
export function withValue(config: object, path: string, value: unknown): object {
  const [name, ...rest] = path.split('.') as [string, ...string[]];
  if (rest.length === 0) return { ...config, [name]: value };
  const section: unknown = Reflect.get(config, name);
  const within = typeof section === 'object' && section !== null ? section : {};
  return { ...config, [name]: withValue(within, rest.join('.'), value) };
}

/** The parts of valibot's schemas that fields are found by. */
type Entry = v.GenericSchema & {
  entries?: Readonly<Record<string, Entry>>;
  wrapped?: Entry;
  default?: unknown;
};

function collected(schema: Entry, path: string): Field[] {
  const value = schema.type === 'optional' ? schema.default : undefined;
  const inner = schema.wrapped ?? schema;
  if (inner.entries) {
    return Object.entries(inner.entries).flatMap(([name, entry]) =>
      collected(entry, path === '' ? name : `${path}.${name}`),
    );
  }
  return [{ ...(v.getMetadata(inner) as unknown as FieldInfo), path, default: value }];
}

function shown(value: unknown): string {
  return oneLine(typeof value === 'string' && value !== '' ? value : jsonOf(value));
}

// Flags as views of a configuration's fields: made from the schema with type, unit, range and default, read back into a
// configuration that is then checked. Wrong input is one line.

import { parseArgs } from 'node:util';
import { Command, CommanderError, Option } from 'commander';
import type { InferOutput } from 'valibot';
import { UsageError } from '../files/errors.ts';
import {
  type ConfigSchema,
  checkConfig,
  type Field,
  fieldsOf,
  valueAt,
  withValue,
} from '../train/config/check.ts';
import {
  type Preset,
  type PresetName,
  presetNames,
  readPreset,
  readPresetFile,
} from '../train/config/presets.ts';
import { flagNames, groups } from './flag-names.ts';
import { print } from './output.ts';

/** Values by the paths of fields. */
type Given = ReadonlyMap<string, unknown>;

/** A flag that is no field of the configuration. */
export interface PlainFlag {
  /** '--resume', or '--input <file>'. */
  flags: string;
  help: string;
  /** The value where the flag is not given; a switch has none. */
  value?: string;
}

export interface ConfigCommand<S extends ConfigSchema, P extends string> {
  /** 'train expert' */
  name: string;
  summary: string;
  schema: S;
  /** The configuration before flags: from the preset, which is read for it, and what is given. */
  base(preset: Preset, given: Given): object;
  plain?: Readonly<Record<P, PlainFlag>>;
  examples: readonly string[];
  /** A word that comes before the flags. */
  argument?: { name: string; help: string };
}

/** What the arguments ask for. */
export interface Parsed<S extends ConfigSchema, P extends string> {
  config: InferOutput<S>;
  plain: Readonly<Record<P, string | boolean | undefined>>;
  argument: string | undefined;
  preset: Preset;
  /** The flags that name the preset, for a command that starts others; and its name, null for a file's. */
  presetFlags: string[];
  presetName: PresetName | null;
  given: Given;
}

/**
 * Reads a command's arguments; null when they ask for --help, which is printed. Throws UsageError and ConfigError, one line,
 * for an unknown flag, a missing value, a value out of range.
 */
export async function parseConfig<S extends ConfigSchema, P extends string = never>(
  about: ConfigCommand<S, P>,
  args: readonly string[],
): Promise<Parsed<S, P> | null> {
  const chosen = await presetOf(args);
  const fields = fieldsOf(about.schema).filter(({ path }) => flagNames[path] !== undefined);
  const command = commandOf(about, fields, (path, given) => valueAt(about.base(chosen.preset, given), path));
  const found = parse(command, args);
  if (!found) return null;
  const given = givenOf(command, fields);
  const base = about.base(chosen.preset, given);
  const value = [...given].reduce(
    (config, [path, own]) => withValue(config, path, overlaid(valueAt(config, path), own)),
    base,
  );
  const config = checkConfig(about.schema, value);
  return {
    ...chosen,
    config,
    given,
    argument: command.args[0],
    plain: plainOf(command, about.plain ?? ({} as Record<P, PlainFlag>)),
  };
}

/** A command's plain flags alone, for one without a configuration; null for --help. */
export function parsePlain<P extends string>(
  about: Omit<ConfigCommand<ConfigSchema, P>, 'schema' | 'base'>,
  args: readonly string[],
): { plain: Readonly<Record<P, string | boolean | undefined>>; argument: string | undefined } | null {
  const command = commandOf(about, [], () => undefined);
  if (!parse(command, args)) return null;
  return {
    plain: plainOf(command, about.plain ?? ({} as Record<P, PlainFlag>)),
    argument: command.args[0],
  };
}

/** The arguments that turn the base into the configuration: `--name value` for each field that differs. */
export function argumentsFor(schema: ConfigSchema, base: object, config: object): string[] {
  return fieldsOf(schema).flatMap(({ path, type, default: usual }) => {
    const name = flagNames[path];
    const value = textOf(valueAt(config, path));
    if (name === undefined || value === textOf(valueAt(base, path) ?? usual)) return [];
    if (type === 'switch') return [value === 'true' ? `--${name}` : `--no-${name}`];
    return [`--${name}`, value];
  });
}

/** What a flag makes of a field: an object changes only the fields that it has. */
function overlaid(before: unknown, own: unknown): unknown {
  return isObject(before) && isObject(own) ? { ...before, ...own } : own;
}

/** A value as a flag has it: lists with commas, objects as JSON. */
function textOf(value: unknown): string {
  return isObject(value) ? JSON.stringify(value) : `${value}`;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function presetOf(args: readonly string[]) {
  const string = { type: 'string' } as const;
  const options = { preset: string, config: string };
  const { values } = parseArgs({ args: [...args], strict: false, options });
  const { preset, config } = values;
  if (typeof config === 'string') {
    if (typeof preset === 'string') throw new UsageError('--preset, --config: expected one of the two');
    return { preset: await readPresetFile(config), presetFlags: ['--config', config], presetName: null };
  }
  const name = presetNames.find((known) => known === (preset ?? 'openconcepts'));
  if (!name) throw new UsageError(`--preset ${preset}: expected one of ${presetNames.join(', ')}`);
  const presetFlags = name === 'openconcepts' ? [] : ['--preset', name];
  return { preset: await readPreset(name), presetFlags, presetName: name };
}

function commandOf(
  { name, summary, plain, examples, argument }: Omit<ConfigCommand<ConfigSchema, string>, 'schema' | 'base'>,
  fields: readonly Field[],
  defaultOf: (path: string, given: Given) => unknown,
): Command {
  const command = new Command(`dsmip ${name}`).description(summary).usage('[flags]').exitOverride();
  const writeOut = (text: string) => print(text.trimEnd());
  command.configureOutput({ writeOut, writeErr: () => {} }).helpOption('--help', 'this text');
  command.configureHelp({ helpWidth: 100 });
  if (argument) command.usage(`${argument.name} [flags]`).argument(`[${argument.name}]`, argument.help);
  if (fields.length > 0) {
    const choices = presetNames.join(' | ');
    command.addOption(
      new Option('--preset <name>', `${choices}: the settings that flags change (openconcepts)`),
    );
    command.addOption(
      new Option(
        '--config <file>',
        'a preset of your own, as JSON; what it leaves out is as in the one that it names (openconcepts)',
      ),
    );
  }
  const none: Given = new Map();
  for (const field of fields) addField(command, field, defaultOf(field.path, none) ?? field.default);
  for (const { flags, help, value } of Object.values<PlainFlag>(plain ?? {})) {
    const usual = value === undefined || value === '' ? '' : ` (${value})`;
    command.addOption(new Option(flags, `${help}${usual}`));
  }
  const lines = examples.map((example) => `  ${example}`).join('\n');
  return command.addHelpText('after', `\nExample:\n${lines}`);
}

function addField(command: Command, field: Field, usual: unknown): void {
  const { path, type, description, unit, choices, expected } = field;
  const name = flagNames[path]!;
  const group = `${groups[path.split('.')[0]!] ?? 'Options'}:`;
  if (type === 'switch') {
    const [on, off] = [new Option(`--${name}`), new Option(`--no-${name}`)];
    const isOn = usual === true;
    // Shown is the one that changes something.
    (isOn ? off : on).description = isOn ? `turns off: ${description}` : description;
    command.addOption(on.hideHelp(isOn).helpGroup(group)).addOption(off.hideHelp(!isOn).helpGroup(group));
    return;
  }
  const kind = choices ? (type === 'list' ? 'list' : 'word') : type === 'object' ? 'json' : type;
  const range = /^an? (integer|number) (.+)$/.exec(expected)?.[2];
  const hints = [unit, range].filter((hint) => hint !== undefined && hint !== '').join(', ');
  const words = choices ? `${choices.join(type === 'list' ? ',' : ' | ')}: ` : '';
  const value = usual === undefined ? '' : ` (${usual === '' ? "''" : textOf(usual)})`;
  const help = `${words}${description}${hints === '' ? '' : ` [${hints}]`}${value}`;
  command.addOption(new Option(`--${name} <${kind.replaceAll(' ', '-')}>`, help).helpGroup(group));
}

/** False for --help. Throws UsageError. */
function parse(command: Command, args: readonly string[]): boolean {
  try {
    command.parse([...args], { from: 'user' });
    return true;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return false;
    const line = error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
    throw new UsageError(`${line} (--help lists the flags)`);
  }
}

function givenOf(command: Command, fields: readonly Field[]): Given {
  const given = new Map<string, unknown>();
  for (const { path, type } of fields) {
    const key = new Option(`--${flagNames[path]}`).attributeName();
    if (command.getOptionValueSource(key) !== 'cli') continue;
    given.set(path, typedValue(type, command.getOptionValue(key)));
  }
  return given;
}

/** A flag's text as the field's type; what is none stays text, which the schema then refuses. */
function typedValue(type: Field['type'], value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (type === 'object') return parsedJson(value);
  if (type === 'list') return value.split(',').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  if (type === 'text' || value.trim() === '' || value === 'auto') return value;
  const number = Number(value);
  return Number.isFinite(number) ? number : value;
}

/** The text itself where it is no JSON. */
function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function plainOf<P extends string>(
  command: Command,
  plain: Readonly<Record<P, PlainFlag>>,
): Record<P, string | boolean | undefined> {
  const entries = Object.entries<PlainFlag>(plain).map(([name, { flags, value }]) => {
    const found: unknown = command.getOptionValue(new Option(flags).attributeName());
    return [name, found ?? value];
  });
  return Object.fromEntries(entries) as Record<P, string | boolean | undefined>;
}

// Command-line flags of the measurements at scale: each has a default, and its kind is the default's. Wrong input is one
// clear line.

import { parseArgs } from 'node:util';
import { InputError, UsageError } from '../../files/errors.ts';

/**
 * A flag: its default, what it means; for numbers the least value and whether it counts things, for texts
 * the choices.
 */
export interface Flag<T extends string | number | boolean> {
  value: T;
  help: string;
  least?: number;
  integer?: boolean;
  choices?: readonly string[];
}

type Flags = Readonly<Record<string, Flag<string> | Flag<number> | Flag<boolean>>>;
type Values<F extends Flags> = {
  [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** An integer of at least `least`. */
export function count(value: number, help: string, least = 0): Flag<number> {
  return { value, help, least, integer: true };
}

/** A number of at least 0. */
export function real(value: number, help: string): Flag<number> {
  return { value, help, least: 0 };
}

export function text(value: string, help: string): Flag<string> {
  return { value, help };
}

/** One of a few words. */
export function oneOf<T extends string>(choices: readonly T[], value: T, help: string): Flag<T> {
  return { value, help: `${choices.join(' | ')}: ${help}`, choices };
}

/** Off unless given; one that is on unless told otherwise can be turned off by --no-NAME. */
export function on(help: string, value = false): Flag<boolean> {
  return { value, help };
}

/**
 * The flags' values from the arguments; null when they ask for --help, which is printed. Throws UsageError
 * for an unknown flag, a missing or surplus value, and a number out of range.
 */
export function parseFlags<F extends Flags>(usage: string, flags: F, args: string[]): Values<F> | null {
  const found = parse(flags, args);
  if (found.help) {
    console.log(`${usage}\n${helpOf(flags)}`);
    return null;
  }
  const entries = Object.entries(flags).map(([name, flag]) => {
    const isOff = flag.value === true && found[`no-${name}`] === true;
    return [name, isOff ? false : chosen(name, flag, found[name])];
  });
  return Object.fromEntries(entries) as Values<F>;
}

/** Says on one line what the user can put right and returns the exit code. Throws what is a bug. */
export function reportError(error: unknown): number {
  if (!(error instanceof InputError)) throw error;
  console.error(error.message);
  return 1;
}

function parse(flags: Flags, args: string[]): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(
    Object.entries(flags).flatMap(([name, { value }]) => {
      const type = typeof value === 'boolean' ? ('boolean' as const) : ('string' as const);
      return value === true
        ? [
            [name, { type }],
            [`no-${name}`, { type }],
          ]
        : [[name, { type }]];
    }),
  );
  try {
    return parseArgs({ args, options: { ...options, help: { type: 'boolean' } } }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/[.\n]/)[0]} (--help lists the flags)`);
  }
}

function chosen(name: string, flag: Flags[string], found: string | boolean | undefined) {
  if (found === undefined) return flag.value;
  if (flag.choices && !flag.choices.includes(`${found}`)) {
    throw new UsageError(`--${name} ${found}: expected one of ${flag.choices.join(', ')}`);
  }
  if (typeof flag.value !== 'number') return found;
  const { least = 0, integer = false } = flag as Flag<number>;
  const number = Number(found);
  const fits =
    found !== '' && Number.isFinite(number) && number >= least && (!integer || Number.isSafeInteger(number));
  if (fits) return number;
  throw new UsageError(
    `--${name} ${found}: expected ${integer ? 'an integer' : 'a number'} of at least ${least}`,
  );
}

function helpOf(flags: Flags): string {
  return Object.entries(flags)
    .map(
      ([name, { value, help }]) =>
        `  --${name.padEnd(20)} ${help}${typeof value === 'boolean' ? (value ? ` (on; --no-${name})` : '') : ` (${value})`}`,
    )
    .join('\n');
}

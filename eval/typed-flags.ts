// Which flags a command hands on to the commands that it starts: those that are not at their default.

type Value = string | number | boolean;

/**
 * Gives a function that makes the arguments for some flags, by their names: `--name value`, `--name` for a switch,
 * nothing for a flag at its default.
 */
export function typed(
  flags: Readonly<Record<string, { value: Value }>>,
  options: Readonly<Record<string, Value>>,
): (names: readonly string[]) => string[] {
  return (names) =>
    names.flatMap((name) => {
      const value = options[name]!;
      if (value === flags[name]!.value) return [];
      return value === true ? [`--${name}`] : [`--${name}`, `${value}`];
    });
}

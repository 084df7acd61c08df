// Specialises a kernel's WGSL text: replaces the values of its module-level `const` lines and the targets of its `alias`
// lines. Knows nothing of devices.

import { KernelError } from '../errors.ts';

/** Values for a kernel's constants and aliases, by name: numbers and booleans replace `const`s, type names `alias`es. */
export type Specialisation = Readonly<Record<string, number | boolean | string>>;

/**
 * The text of a kernel with its constants and aliases set. `enable f16;` is added where an alias asks for f16.
 * Throws KernelError for a constant that the file does not declare.
 */
export function specialise(name: string, text: string, values: Specialisation): string {
  let code = text;
  let needsF16 = false;
  for (const [constant, value] of Object.entries(values)) {
    const pattern =
      typeof value === 'string'
        ? new RegExp(`^(alias ${constant}\\s*=\\s*)[^;]+;`, 'm')
        : new RegExp(`^(const ${constant}\\s*:\\s*(u32|i32|f32|bool)\\s*=\\s*)[^;]+;`, 'm');
    const match = pattern.exec(code);
    if (!match) throw new KernelError(`${name}.wgsl declares no constant or alias ${constant}`);
    needsF16 ||= typeof value === 'string' && /\bf16\b/.test(value);
    code = code.replace(pattern, (_, head: string) => `${head}${literal(value, match[2])};`);
  }
  return needsF16 ? `enable f16;\n${code}` : code;
}

function literal(value: number | boolean | string, type: string | undefined): string {
  if (typeof value !== 'number') return String(value);
  if (type === 'u32') return `${value}u`;
  if (type === 'f32') return Number.isInteger(value) ? `${value}.0` : String(value);
  return String(value);
}

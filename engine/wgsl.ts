// Reads and specialises our WGSL files as text. A kernel file is valid WGSL as it stands; it is
// specialised by replacing the values of its module-level `const` lines and the targets of its
// `alias` lines. Knows nothing of devices.

import { KernelError } from './errors.ts';

/** A 4-byte scalar of the uniform `Params` struct. */
export interface ParamField {
  name: string;
  type: 'u32' | 'i32' | 'f32';
}

/** A storage buffer that a kernel declares. */
export interface BindingDeclaration {
  binding: number;
  access: 'read' | 'read_write';
}

/** What a kernel file declares, as the dispatcher needs it. */
export interface KernelSource {
  name: string;
  code: string;
  params: ParamField[];
  bindings: Map<string, BindingDeclaration>;
}

/** Values for a kernel's constants and aliases, by name: numbers and booleans replace `const`s, type names `alias`es. */
export type Specialisation = Readonly<Record<string, number | boolean | string>>;

const bindingPattern =
  /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*([A-Za-z_]\w*)\s*:/g;

/** Finds the parameters and the storage bindings in a kernel file's text. */
export function parseKernel(name: string, code: string): KernelSource {
  const bindings = new Map<string, BindingDeclaration>();
  for (const [, binding, access, variable] of code.matchAll(bindingPattern)) {
    bindings.set(variable!, { binding: Number(binding), access: access as 'read' | 'read_write' });
  }
  const struct = /struct Params\s*\{([^}]*)\}/.exec(code)?.[1] ?? '';
  const params: ParamField[] = [];
  for (const [, field, type] of struct.replace(/\/\/.*$/gm, '').matchAll(/(\w+)\s*:\s*(\w+)/g)) {
    if (type !== 'u32' && type !== 'i32' && type !== 'f32') {
      throw new KernelError(`${name}.wgsl: Params.${field} is ${type}; only u32, i32 and f32 are packed`);
    }
    params.push({ name: field!, type });
  }
  return { name, code, params, bindings };
}

/**
 * The text of a kernel with its constants and aliases set. `enable f16;` is added where an alias asks for f16.
 * Throws KernelError for a constant that the file does not declare.
 */
export function specialise(source: KernelSource, values: Specialisation): string {
  let code = source.code;
  let needsF16 = false;
  for (const [name, value] of Object.entries(values)) {
    const pattern =
      typeof value === 'string'
        ? new RegExp(`^(alias ${name}\\s*=\\s*)[^;]+;`, 'm')
        : new RegExp(`^(const ${name}\\s*:\\s*(u32|i32|f32|bool)\\s*=\\s*)[^;]+;`, 'm');
    const match = pattern.exec(code);
    if (!match) throw new KernelError(`${source.name}.wgsl declares no constant or alias ${name}`);
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

// Reads off a kernel's WGSL text what the engine and its type checker need to know of it. A kernel file is valid WGSL but
// for the lines `// needs PART.wgsl`, which name files that several kernels share. Knows nothing of devices.

/** A kernel as the engine launches it. */
export interface Kernel {
  /** WGSL without comments, shared parts included; lines are those of the file. */
  code: string;
  /** By entry point, the storage buffers that it uses, itself or through what it calls. */
  entries: Readonly<Record<string, readonly string[]>>;
  /** Storage buffers by variable name. */
  buffers: Readonly<Record<string, { binding: number; access: 'read' | 'read_write' }>>;
  /** Fields of the uniform `Params`, in order; each has 4 bytes. */
  params: Readonly<Record<string, 'u32' | 'i32' | 'f32'>>;
  /** What can be set before compiling: `const`s of a literal value by their type, `alias`es of a plain type ('type'). */
  constants: Readonly<Record<string, 'u32' | 'i32' | 'f32' | 'bool' | 'type'>>;
}

/** The names of the parts in a file's `needs` lines. */
export function neededParts(text: string): string[] {
  return [...text.matchAll(/^\/\/ needs ([\w-]+)\.wgsl$/gm)].map(([, part]) => part!);
}

/** A file's text without comments; line breaks stay, so that a driver's message names the right line. */
export function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/\/\/.*$/gm, '')
    .replace(/[ \t]+$/gm, '');
}

/** Reads a kernel's whole text, without comments. Throws Error, naming the kernel, for what the engine could not launch. */
export function readKernel(name: string, code: string): Kernel {
  const buffers: Record<string, { binding: number; access: 'read' | 'read_write' }> = {};
  const variables =
    /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*([A-Za-z_]\w*)\s*:/g;
  for (const [, binding, access, variable] of code.matchAll(variables)) {
    buffers[variable!] = { binding: Number(binding), access: access as 'read' | 'read_write' };
  }
  return {
    code,
    entries: entriesOf(code, buffers),
    buffers,
    params: paramsOf(name, code),
    constants: constantsOf(code),
  };
}

function paramsOf(name: string, code: string): Kernel['params'] {
  const struct = /struct Params\s*\{([^}]*)\}/.exec(code)?.[1] ?? '';
  const params: Record<string, 'u32' | 'i32' | 'f32'> = {};
  for (const [, field, type] of struct.matchAll(/(\w+)\s*:\s*(\w+)/g)) {
    if (type !== 'u32' && type !== 'i32' && type !== 'f32') {
      throw new Error(`${name}.wgsl: Params.${field} is ${type}; only u32, i32 and f32 are packed`);
    }
    params[field!] = type;
  }
  return params;
}

function constantsOf(code: string): Kernel['constants'] {
  const constants: Record<string, 'u32' | 'i32' | 'f32' | 'bool' | 'type'> = {};
  const literal =
    /^const (\w+)\s*:\s*(u32|i32|f32|bool)\s*=\s*(?:true|false|-?[\d.]+(?:e-?\d+)?[uif]?)\s*;/gm;
  for (const [, constant, type] of code.matchAll(literal)) constants[constant!] = type as 'u32';
  for (const [, alias] of code.matchAll(/^alias (\w+)\s*=\s*\w+\s*;/gm)) constants[alias!] = 'type';
  return constants;
}

interface WgslFunction {
  isEntry: boolean;
  /** Parameters and body. */
  text: string;
}

/** By entry point, the buffers that it reaches: what must be bound to launch it. */
function entriesOf(code: string, buffers: Kernel['buffers']): Kernel['entries'] {
  const functions = functionsOf(code);
  const entries: Record<string, string[]> = {};
  for (const [entry, { isEntry }] of functions) {
    if (!isEntry) continue;
    const reached = new Set([entry]);
    for (const name of reached) {
      for (const [, callee] of functions.get(name)!.text.matchAll(/\b(\w+)\s*\(/g)) {
        if (functions.has(callee!)) reached.add(callee!);
      }
    }
    const texts = [...reached].map((name) => functions.get(name)!.text);
    entries[entry] = Object.keys(buffers).filter((buffer) => texts.some((text) => uses(text, buffer)));
  }
  return entries;
}

function functionsOf(code: string): Map<string, WgslFunction> {
  const functions = new Map<string, WgslFunction>();
  for (const match of code.matchAll(/(@compute[^;{}]*?\s)?\bfn\s+(\w+)\s*\(/g)) {
    const start = match.index + match[0].length;
    let depth = 0;
    let end = code.indexOf('{', start);
    do {
      if (code[end] === '{') depth++;
      if (code[end] === '}') depth--;
      end++;
    } while (depth > 0 && end < code.length);
    functions.set(match[2]!, { isEntry: match[1] !== undefined, text: code.slice(start, end) });
  }
  return functions;
}

/** Whether a function indexes the buffer, or takes its address, before a variable of its own hides it. */
function uses(text: string, buffer: string): boolean {
  const use = text.search(new RegExp(`(\\b${buffer}\\s*\\[|&${buffer}\\b)`));
  const hiding = text.search(new RegExp(`(\\b(let|var|const)\\s+${buffer}\\b|\\b${buffer}\\s*:)`));
  return use >= 0 && (hiding < 0 || use < hiding);
}

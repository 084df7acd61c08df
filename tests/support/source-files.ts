// Reads every source file of the repository with a real parser: what it imports, what it prints, what its strings say.
// tests/architecture.test.ts judges the result; this file knows no rule.

import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, Visitor } from 'oxc-parser';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Something in a file that a rule may speak about. */
interface Found {
  line: number;
  text: string;
}

/** One import, `export ... from`, `import()` or type `import('...')`. */
export interface Import extends Found {
  /** What is imported: a path from the repository's root, or the name of a package. */
  target: string;
  /** Whether the target is a file of this repository. */
  isLocal: boolean;
  /**
   * When the target is loaded: with the file, when the code asks for it, or never, because only types are taken.
   * `import { type A }` loads its target, other than `import type { A }`.
   */
  loads: 'at the top' | 'later' | 'never';
}

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  path: string;
  lines: number;
  imports: Import[];
  /** Uses of the process's own things: console, process.argv, process.exit, process.exitCode, process.stdout ... */
  processUses: Found[];
  /** String literals and fixed parts of templates. */
  strings: Found[];
}

/** Folders of data, of what is built and of what a run writes: no rule speaks about them. */
const skipped = new Set(['node_modules', 'dist', 'runs', 'openconcepts', 'cases', 'generated']);

/** Every .ts, .tsx, .mjs and .wgsl file, as paths from the root, sorted. */
export function sourcePaths(folder = ''): string[] {
  const paths: string[] = [];
  for (const entry of fs.readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const inner = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!entry.name.startsWith('.') && !skipped.has(entry.name)) paths.push(...sourcePaths(inner));
    } else if (/\.(tsx?|mjs|wgsl)$/.test(entry.name)) {
      paths.push(inner);
    }
  }
  return paths.sort();
}

/** Whether a file starts with a comment; `#!` and WGSL's `enable` may stand before it. */
export function startsWithComment(file: string): boolean {
  return /^(#!.*\n|enable .*\n|\n)*\/[/*]/.test(fs.readFileSync(path.join(root, file), 'utf8'));
}

/** Parses one TypeScript or JavaScript file, given by its path from the root. Throws where it does not parse. */
export function readSource(file: string): SourceFile {
  const text = fs.readFileSync(path.join(root, file), 'utf8');
  const { program, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const lineOf = lineFinder(text);
  const at = ({ start, end }: { start: number; end: number }): Found => ({
    line: lineOf(start),
    text: text.slice(start, end).split('\n')[0] ?? '',
  });

  const imports: Import[] = [];
  const processUses: Found[] = [];
  const strings: Found[] = [];
  const addImport = (
    node: { start: number; end: number },
    source: { value: unknown } | null | undefined,
    loads: Import['loads'],
  ) => {
    if (typeof source?.value === 'string')
      imports.push({ ...at(node), ...resolve(file, source.value), loads });
  };
  const whenLoaded = (kind: string | undefined) => (kind === 'type' ? 'never' : 'at the top');
  new Visitor({
    ImportDeclaration: (node) => addImport(node, node.source, whenLoaded(node.importKind)),
    ExportNamedDeclaration: (node) => addImport(node, node.source, whenLoaded(node.exportKind)),
    ExportAllDeclaration: (node) => addImport(node, node.source, whenLoaded(node.exportKind)),
    ImportExpression: (node) =>
      addImport(node, node.source as { value?: unknown } as { value: unknown }, 'later'),
    TSImportType: (node) => addImport(node, node.source, 'never'),
    MemberExpression: (node) => {
      const { object, property } = node;
      if (object.type !== 'Identifier') return;
      const name = property.type === 'Identifier' && !node.computed ? property.name : '';
      const isPrinting = /^(argv|exit|exitCode|stdout|stderr|stdin)$/.test(name);
      if (object.name === 'console' || (object.name === 'process' && isPrinting)) processUses.push(at(node));
    },
    Literal: (node) => {
      if (typeof node.value === 'string') strings.push({ ...at(node), text: node.value });
    },
    TemplateElement: (node) => {
      strings.push({ ...at(node), text: node.value.cooked ?? node.value.raw });
    },
  }).visit(program);
  return {
    path: file,
    lines: text.trimEnd().split('\n').length,
    imports,
    processUses,
    strings,
  };
}

/** Where an import leads. An import of data (`.json`) stays a path, too. */
function resolve(file: string, specifier: string): { target: string; isLocal: boolean } {
  if (!specifier.startsWith('.')) return { target: specifier, isLocal: false };
  return { target: path.posix.join(path.posix.dirname(file), specifier), isLocal: true };
}

/** The line, from 1 on, of a position in the text. */
function lineFinder(text: string): (position: number) => number {
  const starts = [0];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  return (position) => {
    const after = starts.findIndex((start) => start > position);
    return after < 0 ? starts.length : after;
  };
}

/**
 * The groups of two and more files that load each other, each sorted: Tarjan's strongly connected components over
 * `edges`, from a file to the files that it loads.
 */
export function loadCycles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    open.push(file);
    for (const next of edges.get(file) ?? []) {
      if (!order.has(next)) visit(next);
      if (open.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const group = open.splice(open.indexOf(file));
    if (group.length > 1) cycles.push(group.sort());
  };
  for (const file of edges.keys()) if (!order.has(file)) visit(file);
  return cycles;
}

// Takes a JSON object apart entry by entry, so that a header made to exhaust memory is given up at its first bad entry,
// and finds what JSON.parse hides: a key that stands twice.

/** The text is no JSON object, or not one that any honest file has. */
export class JsonError extends Error {
  override name = 'JsonError';
}

interface EntryLimits {
  /** Objects and arrays inside each other, the outermost counted. */
  depth: number;
  /** Characters of the value under a key. */
  length: (key: string) => number;
}

/**
 * Yields the entries of the JSON object `text` in turn, each value parsed. Throws JsonError where the text is no JSON
 * object, where a key stands twice in any object, and beyond the limits.
 */
export function* jsonEntries(text: string, limits: EntryLimits): Generator<[key: string, value: unknown]> {
  const seen = new Set<string>();
  let at = skipSpace(text, 0);
  if (text[at] !== '{') throw new JsonError(isJson(text) ? 'expected a JSON object' : notJson(text, at));
  at = skipSpace(text, at + 1);
  if (text[at] === '}') return checkEnd(text, at + 1);
  for (;;) {
    const keyEnd = text[at] === '"' ? endOfString(text, at) : at;
    const key = parse(text, at, keyEnd) as string;
    if (seen.has(key)) throw new JsonError(`'${key}' stands twice in one object`);
    seen.add(key);
    at = skipSpace(text, keyEnd);
    if (text[at] !== ':') throw new JsonError(notJson(text, at));
    at = skipSpace(text, at + 1);
    const end = endOfValue(text, at, limits.depth, limits.length(key));
    const value = parse(text, at, end);
    const twice = duplicateKey(text.slice(at, end));
    if (twice !== null) throw new JsonError(`'${twice}' stands twice in one object`);
    yield [key, value];
    at = skipSpace(text, end);
    if (text[at] === '}') return checkEnd(text, at + 1);
    if (text[at] !== ',') throw new JsonError(notJson(text, at));
    at = skipSpace(text, at + 1);
  }
}

/** The first key that an object of the JSON text holds twice; null when there is none. The text must be valid. */
function duplicateKey(json: string): string | null {
  // Keys seen in each open object; null for an open array.
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < json.length; i++) {
    const character = json[i]!;
    if (character === '{') open.push(new Set());
    else if (character === '[') open.push(null);
    else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const end = endOfString(json, i);
      // In valid JSON a string is a key exactly when a colon follows it.
      if (json[skipSpace(json, end)] === ':') {
        const key = JSON.parse(json.slice(i, end)) as string;
        const seen = open.at(-1)!;
        if (seen!.has(key)) return key;
        seen!.add(key);
      }
      i = end - 1;
    }
  }
  return null;
}

function parse(text: string, from: number, end: number): unknown {
  try {
    return JSON.parse(text.slice(from, end));
  } catch {
    throw new JsonError(notJson(text, from));
  }
}

/** Whether a short text is JSON of another kind; long ones are not tried. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text.slice(0, 1000));
    return true;
  } catch {
    return false;
  }
}

function checkEnd(text: string, at: number): void {
  const end = skipSpace(text, at);
  if (end < text.length) throw new JsonError(notJson(text, end));
}

function notJson(text: string, at: number): string {
  const found = at < text.length ? `unexpected ${JSON.stringify(text[at])}` : 'it ends too early';
  return `not JSON (${found} at character ${at})`;
}

/** The position after the value that begins at `start`; only its brackets are followed, JSON.parse sees the rest. */
function endOfValue(text: string, start: number, depth: number, length: number): number {
  let open = 1;
  let i = start;
  do {
    const character = text[i];
    if (character === undefined) throw new JsonError(notJson(text, i));
    if (character === '"') i = endOfString(text, i);
    else if (character === '{' || character === '[') {
      if (++open > depth) throw new JsonError(`lists nested more than ${depth} deep`);
      i++;
    } else if (character === '}' || character === ']') {
      open--;
      i++;
    } else if (open > 1) i++;
    else return endOfScalar(text, i);
    if (i - start > length) throw new JsonError(`an entry of more than ${length} characters`);
  } while (open > 1);
  return i;
}

/** The position after the number or word that begins at `start`. */
function endOfScalar(text: string, start: number): number {
  let i = start;
  while (i < text.length && !' \t\n\r,}]'.includes(text[i]!)) i++;
  return i;
}

/** The position after the quote that closes the string opened at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === '"') return i + 1;
    if (text[i] === '\\') i++;
  }
  throw new JsonError(notJson(text, text.length));
}

function skipSpace(text: string, from: number): number {
  let i = from;
  while (i < text.length && ' \t\n\r'.includes(text[i]!)) i++;
  return i;
}

// Finds what JSON.parse hides: a key that stands twice in one object.

/** The first key that an object of the JSON text holds twice; null when there is none. The text must be valid. */
export function duplicateKey(json: string): string | null {
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
      if (nextCharacter(json, end) === ':') {
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

/** The position after the quote that closes the string opened at `start`. */
function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
  return i + 1;
}

function nextCharacter(json: string, from: number): string | undefined {
  let i = from;
  while (' \t\n\r'.includes(json[i] ?? '.')) i++;
  return json[i];
}

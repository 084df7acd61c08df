// Reads a text file, with a missing file said in one line.

import { readFile } from 'node:fs/promises';

/**
 * The UTF-8 text of the file at `path`. Throws `PATH: no such file`, or the path and the system's message.
 */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const missing = (error as { code?: string }).code === 'ENOENT';
    throw new Error(`${path}: ${missing ? 'no such file' : (error as Error).message}`);
  }
}

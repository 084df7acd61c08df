// Folders that are at hand already, by their addresses: what a page has downloaded in its own way, compressed or from the
// browser's storage, is then read like files on a server.

const folders = new Map<string, ReadonlyMap<string, Uint8Array<ArrayBuffer>>>();

/** From now on what begins with `folder`, an address that ends with a slash, is read from these files by their addresses. */
export function holdFolder(folder: string, files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): void {
  folders.set(folder, files);
}

/** The bytes of a file in such a folder; null where the folder has no such file, undefined for addresses elsewhere. */
export function heldFile(address: string): Uint8Array<ArrayBuffer> | null | undefined {
  for (const [folder, files] of folders) if (address.startsWith(folder)) return files.get(address) ?? null;
  return undefined;
}

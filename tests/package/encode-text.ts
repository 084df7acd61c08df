// Encodes texts with a CLIP, tokenizer and all. The test beside it runs this in Node from the sources and in a browser from a
// bundle of the installed package, and compares the vectors.

import { openDevice } from '../../engine/index.ts';
import { loadClip, loadTokenizer } from '../../model/index.ts';

/** The vectors of two texts, one after the other. `where`: the folder of the CLIP, in a browser relative to the page. */
export async function run(where: string): Promise<number[]> {
  const folder = 'location' in globalThis ? new URL(where, location.href).href : where;
  const device = await openDevice();
  const { module: clip, config } = await loadClip(device, folder);
  const tokenizer = await loadTokenizer(folder);
  const texts = ['A seal swims in the water', 'the seal of wax on a café’s letter, 1914'];
  const batch = { ...tokenizer.encodeBatch(texts, config.text.maxLength), count: texts.length };
  const embeds = await device.scope(() => clip.text.encode(batch).embeds.read());
  device.destroy();
  return [...embeds];
}

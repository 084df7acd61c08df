// Linking by the server that the page came from, for browsers without WebGPU.

import type { Linked } from '../../link/linker.ts';
import type { PageMention } from './link-protocol.ts';

/** Links a mention there. Throws an Error with the server's line. */
export async function askServer({ word, sentence, image }: PageMention, top: number): Promise<Linked[]> {
  const body = JSON.stringify({
    word,
    sentence,
    image: image && (await base64Of(image)),
    top,
    explain: true,
  });
  const response = await fetch('link', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  const [{ inKnowledgeBase, entities }] = answer.results;
  return entities.map((entity: Omit<Linked, 'inKnowledgeBase'>) => ({ ...entity, inKnowledgeBase }));
}

/** The image as a data URL. */
function base64Of(image: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(image);
  });
}

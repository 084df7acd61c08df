// The linker for users: a trained run and a knowledge base, mentions in, entities out. What is not named here may change at
// any time.

export type { ImageInput } from '../data/images/image-input.ts';
export type { KnownEntity } from './changes/entity-store.ts';
export {
  type EntityToPut,
  type Explanation,
  type Linked,
  type Linker,
  type LinkerOptions,
  type LinkMention,
  type LinkOptions,
  openLinker,
} from './linker.ts';
export type { TextAttention, WordWeight } from './word-attention.ts';

// The linker for users: a trained run and a knowledge base, mentions in, entities out. What is not named here may change at
// any time.

export { type Linked, type Linker, type LinkMention, openLinker } from './linker.ts';

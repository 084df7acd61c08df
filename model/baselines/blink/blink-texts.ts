// What BLINK reads of samples (Wu et al. 2020, arXiv:1911.03814): a mention in its sentence between tags, an entity's name and
// attributes with a tag between them.

import {
  missingTags,
  packContext,
  packEntity,
  splitAtMention,
} from '../../../data/text/wordpiece/packing.ts';
import type { WordPiece } from '../../../data/text/wordpiece/wordpiece.ts';
import type { Samples } from '../../../encoding/samples.ts';
import { InputError } from '../../../files/errors.ts';
import type { Side } from '../../../ranking/scorer.ts';
import type { PackedText } from '../../bert/packed-texts.ts';

/** Most tokens of each side. */
export type BlinkLengths = Readonly<Record<Side, number>>;

/** Packs texts, and counts the mentions that are not found in their sentence. */
export class BlinkTexts {
  readonly lengths: BlinkLengths;
  #tokenizer: WordPiece;
  #unfound = 0;

  /** Throws InputError for a vocabulary without BLINK's tags. */
  constructor(tokenizer: WordPiece, lengths: BlinkLengths) {
    const missing = missingTags(tokenizer);
    if (missing.length > 0) {
      throw new InputError(
        `vocab.txt: expected the tokens ${missing.join(', ')}, which BLINK tags texts with`,
      );
    }
    this.#tokenizer = tokenizer;
    this.lengths = lengths;
  }

  pack(side: Side, { texts }: Pick<Samples, 'texts'>): PackedText[] {
    return texts.map(({ name, context }) => {
      const ids = side === 'mention' ? this.#mention(name, context) : this.#entity(name, context);
      return { ids };
    });
  }

  /** A line where mentions were not found since the last time. */
  takeWarnings(): string[] {
    const unfound = this.#unfound;
    this.#unfound = 0;
    return unfound === 0
      ? []
      : [`mentions that do not stand in their sentence, and are put before it: ${unfound}`];
  }

  #mention(word: string, sentence: string): number[] {
    const { left, right, isFound } = splitAtMention(word, sentence);
    if (!isFound) this.#unfound++;
    const [before, mention, after] = [left, word, right].map((text) => this.#tokenizer.encode(text));
    return packContext(this.#tokenizer, before!, mention!, after!, this.lengths.mention);
  }

  #entity(name: string, attributes: string): number[] {
    const [title, description] = [name, attributes].map((text) => this.#tokenizer.encode(text));
    return packEntity(this.#tokenizer, title!, description!, this.lengths.entity);
  }
}

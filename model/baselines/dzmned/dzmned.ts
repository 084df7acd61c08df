// DZMNED (Moon, Neves, Carvalho 2018, ACL P18-1186): attention over modalities, of the words of a text, of the bytes of a name
// and of an image, and beside what it mixes a vector of the name alone. Its label embeddings of a knowledge graph do not exist
// here: mentions and entities are encoded alike, with the same weights. The lexical term, the widths and the loss are the house
// definition of the baselines.
//
// B samples. Widths: d_t of a token, d_b of a byte, d_z of an image, H_w and H_c of the LSTMs' states, p of a modality, y of the
// joint space, c of the lexical one.

import type { Device } from '../../../engine/device.ts';
import { dropout } from '../../../engine/ops/dropout.ts';
import { mul, scale, sigmoid, tanh } from '../../../engine/ops/elementwise.ts';
import { embedding } from '../../../engine/ops/embedding.ts';
import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import { sum } from '../../../engine/ops/reduce.ts';
import { concat, reshape } from '../../../engine/ops/shape.ts';
import { softmax } from '../../../engine/ops/softmax.ts';
import type { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import type { Linear, Projection } from '../../layers.ts';
import type { ParameterSource } from '../../parameter-source.ts';
import { paddedRows } from '../padded-rows.ts';
import { BiLstm } from './bi-lstm.ts';
import { symbolCount } from './name-symbols.ts';

export interface DzmnedConfig {
  /** Tokens of a vocabulary of so many, embedded here; null: token features of a frozen encoder. */
  vocabulary: number | null;
  /** d_t */
  tokenWidth: number;
  /** d_z */
  imageWidth: number;
  /** H_w */
  wordHidden: number;
  /** d_b */
  byteWidth: number;
  /** H_c */
  byteHidden: number;
  /** p */
  modalityWidth: number;
  /** y */
  jointWidth: number;
  /** c */
  lexicalWidth: number;
  /** What the lexical cosine counts for against the joint one. */
  lambda: number;
}

/** Features of a frozen encoder: tokens [B, L, d_t], mask i32 [B, L], real tokens first. Or token ids, a list a text. */
export type DzmnedText = { tokens: Tensor; mask: Tensor } | { ids: readonly ArrayLike<number>[] };

/** Samples of either side. */
export interface DzmnedInput {
  text: DzmnedText;
  /** Each name's symbols, see name-symbols.ts. */
  names: readonly ArrayLike<number>[];
  /** [B, d_z] */
  image: Tensor;
}

export interface DzmnedSide {
  /** [B, 2 H_w] */
  words: Tensor;
  /** [B, 2 H_c] */
  characters: Tensor;
  /** What words, characters and image count for: [B, 3]. */
  alpha: Tensor;
  /** [y; sqrt(lambda) c] / sqrt(1 + lambda), y and c of length 1: [B, y + c]. */
  vectors: Tensor;
}

/** What is dropped in training. */
export interface DzmnedDropout {
  /** Of the layer before the joint space, and of embedded tokens. */
  joint: number;
  tokens: number;
  random: Random;
}

export class Dzmned {
  #lambda: number;
  #tokenTable: Tensor | null;
  #byteTable: Tensor;
  #words: BiLstm;
  #characters: BiLstm;
  #projections: readonly Linear[];
  #attention: Linear;
  #fc1: Linear;
  #fc2: Linear;
  #lexical: Projection;

  constructor(p: ParameterSource, config: DzmnedConfig) {
    const { vocabulary, tokenWidth, imageWidth, wordHidden, byteWidth, byteHidden } = config;
    const { modalityWidth, jointWidth, lexicalWidth } = config;
    const table = (name: string, rows: number, width: number) =>
      p.parameter(`${name}.weight`, [rows, width], { deviation: 1 });
    this.#lambda = config.lambda;
    this.#tokenTable = vocabulary === null ? null : table('token_embedding', vocabulary, tokenWidth);
    this.#byteTable = table('byte_embedding', symbolCount, byteWidth);
    this.#words = new BiLstm(p.under('word_lstm'), tokenWidth, wordHidden);
    this.#characters = new BiLstm(p.under('byte_lstm'), byteWidth, byteHidden);
    this.#projections = [
      p.linear('word_proj', 2 * wordHidden, modalityWidth),
      p.linear('byte_proj', 2 * byteHidden, modalityWidth),
      p.linear('image_proj', imageWidth, modalityWidth),
    ];
    this.#attention = p.linear('attention', 3 * modalityWidth, 3);
    this.#fc1 = p.linear('fc1', modalityWidth, modalityWidth);
    this.#fc2 = p.linear('fc2', modalityWidth, jointWidth);
    this.#lexical = p.projection('lexical', 2 * byteHidden, lexicalWidth, {
      bound: (2 * byteHidden) ** -0.5,
    });
  }

  /** `drop` in training only. Throws ShapeError. */
  encode({ text, names, image }: DzmnedInput, drop: DzmnedDropout | null = null): DzmnedSide {
    const { device } = image;
    const B = names.length;
    const { tokens, mask } = this.#tokens(device, text, drop);
    const words = this.#words.states(tokens, mask);
    const bytes = paddedRows(device, names);
    const characters = this.#characters.states(embedding(this.#byteTable, bytes.ids), bytes.mask);
    const seen = [words, characters, image];
    const parts = concat(
      this.#projections.map((projection, i) => projection(seen[i]!)),
      1,
    ); // [B, 3 p]
    const alpha = softmax(sigmoid(this.#attention(parts))); // [B, 3]
    const fused = sum(mul(reshape(parts, [B, 3, -1]), reshape(alpha, [B, 3, 1])), 1); // [B, p]
    const hidden = tanh(this.#fc1(fused));
    const joint = l2Normalize(this.#fc2(drop ? dropout(hidden, drop.joint, drop.random) : hidden)); // [B, y]
    const lexical = scale(l2Normalize(this.#lexical(characters)), Math.sqrt(this.#lambda)); // [B, c]
    const vectors = scale(concat([joint, lexical], 1), (1 + this.#lambda) ** -0.5);
    return { words, characters, alpha, vectors };
  }

  #tokens(device: Device, text: DzmnedText, drop: DzmnedDropout | null): { tokens: Tensor; mask: Tensor } {
    if ('tokens' in text) return text;
    const { ids, mask } = paddedRows(device, text.ids);
    const tokens = embedding(this.#tokenTable!, ids);
    return { tokens: drop ? dropout(tokens, drop.tokens, drop.random) : tokens, mask };
  }
}

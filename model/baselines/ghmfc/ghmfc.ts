// GHMFC's network on what encoders make of texts and images (Wang, Wu and Chen 2022, SIGIR): at two levels, of tokens
// and of phrases, image and text look at one another in turn; a gate weighs what both have found. The data flow is that
// of the released modules (seukgcode/MEL-GHMFC); the entity's side and the losses are the house definition of the
// baselines. Knows nothing of encoders.
//
// B: batch, L: text tokens, R: image tokens, d, d_v: widths of the text and image encoder, h: width of the network.

import { add, mul, relu } from '../../../engine/ops/elementwise.ts';
import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import { mean } from '../../../engine/ops/reduce.ts';
import { maxOverTime } from '../../../engine/ops/sequence/max-over-time.ts';
import { concat, slice } from '../../../engine/ops/shape.ts';
import { softmax } from '../../../engine/ops/softmax.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { meanEmbeds } from '../../bert/bert.ts';
import type { Linear, Norm } from '../../layers.ts';
import { identityLinear, type ParameterSource } from '../../parameter-source.ts';
import { Decoder, type DecoderConfig, type Dropped, type Sequence, thinned } from './decoder.ts';
import { Phrases } from './phrases.ts';

export interface GhmfcConfig extends DecoderConfig {
  /** d */
  textWidth: number;
  /** d_v */
  patchWidth: number;
}

export interface GhmfcMention {
  /** z_m [B, d], of length 1. */
  vector: Tensor;
  /** Text and image for their contrast, each the mean over its tokens at length 1: [B, h]. */
  text: Tensor;
  image: Tensor;
  /** T [B, L, h]; what stands on padding means nothing. */
  textTokens: Tensor;
}

export class Ghmfc {
  #textInput: Input;
  #imageInput: Input;
  #levels: Record<'token' | 'phrase', Level>;
  #phrases: Phrases;
  #gate: Gate;
  #output: Linear;
  #entityOutput: Linear;

  constructor(p: ParameterSource, config: GhmfcConfig) {
    const { width, textWidth, patchWidth } = config;
    this.#textInput = new Input(p, 'text_input', textWidth, width);
    this.#imageInput = new Input(p, 'image_input', patchWidth, width);
    this.#levels = {
      token: new Level(p.under('token'), config),
      phrase: new Level(p.under('phrase'), config),
    };
    this.#phrases = new Phrases(p.under('phrase'), width);
    this.#gate = new Gate(p.under('gate'), width);
    this.#output = p.linear('output', width, textWidth);
    this.#entityOutput = p.linear('entity_output', textWidth, textWidth, identityLinear);
  }

  /**
   * A mention from its text's last hidden states [B, L, d], [CLS] first, with mask [B L], 1 on real tokens, and the
   * image encoder's patch tokens [B, R, d_v].
   */
  mention(hidden: Tensor, mask: Int32Array, patches: Tensor, dropped?: Dropped): GhmfcMention {
    const { device } = hidden;
    const [B, L] = hidden.shape as [number, number];
    const T = thinned(this.#textInput.run(hidden), dropped); // [B, L, h]
    const I = thinned(this.#imageInput.run(patches), dropped); // [B, R, h]
    const real = mask.filter((_, i) => i % L > 0);
    const seq = slice(T, 1, 1, L - 1); // [B, L - 1, h], without [CLS]
    const c = this.#phrases.of(seq, device.tensor([B, L - 1, 1], Float32Array.from(real)));
    const realTokens = device.tensor([B, L - 1], real, { name: 'text mask' });
    const [token, phrase] = [
      this.#levels.token.run({ tokens: seq, mask: realTokens }, I, dropped),
      this.#levels.phrase.run({ tokens: c, mask: realTokens }, I, dropped),
    ];
    const o = this.#gate.run(add(token.text, phrase.text), add(token.image, phrase.image)); // [B, h]
    return {
      vector: l2Normalize(this.#output(thinned(o, dropped))),
      text: meanEmbeds(T, mask),
      image: l2Normalize(mean(I, 1)),
      textTokens: T,
    };
  }

  /** z_e [B, d], of length 1, from the last hidden states of [CLS], [B, d]: entities are text only. */
  entity(cls: Tensor): Tensor {
    return l2Normalize(this.#entityOutput(cls));
  }
}

/** LN(relu(W x + b)): what brings either encoder's tokens to the network's width. */
class Input {
  #linear: Linear;
  #norm: Norm;

  constructor(p: ParameterSource, name: string, inputs: number, width: number) {
    this.#linear = p.linear(name, inputs, width);
    this.#norm = p.norm(`${name}_norm`, width);
  }

  run(x: Tensor): Tensor {
    return this.#norm(relu(this.#linear(x)));
  }
}

/** The image looks at the text, then the text at what the image has become; of both the largest over their tokens. */
class Level {
  #image: Decoder;
  #text: Decoder;

  constructor(p: ParameterSource, config: GhmfcConfig) {
    this.#image = new Decoder(p.under('image'), config);
    this.#text = new Decoder(p.under('text'), config);
  }

  /** [B, h] each. */
  run(text: Sequence, image: Tensor, dropped?: Dropped): { text: Tensor; image: Tensor } {
    const seenImage = this.#image.run({ tokens: image }, text, dropped); // [B, R, h]
    const seenText = this.#text.run(text, { tokens: seenImage }, dropped); // [B, L - 1, h]
    return { text: maxOverTime(seenText, text.mask), image: maxOverTime(seenImage) };
  }
}

/** g = softmax of one score of either modality; f = g_s s + g_v v; o = relu(filter [s; f]). */
class Gate {
  #textNorm: Norm;
  #imageNorm: Norm;
  #score: Linear;
  #filter: Linear;

  constructor(p: ParameterSource, width: number) {
    this.#textNorm = p.norm('text_norm', width);
    this.#imageNorm = p.norm('image_norm', width);
    this.#score = p.linear('score', width, 1);
    this.#filter = p.linear('filter', 2 * width, width);
  }

  /** [B, h] each -> o [B, h]. */
  run(text: Tensor, image: Tensor): Tensor {
    const [s, v] = [this.#textNorm(text), this.#imageNorm(image)];
    const g = softmax(concat([this.#score(s), this.#score(v)], 1)); // [B, 2]
    const f = add(mul(slice(g, 1, 0, 1), s), mul(slice(g, 1, 1, 1), v));
    return relu(this.#filter(concat([s, f], 1)));
  }
}

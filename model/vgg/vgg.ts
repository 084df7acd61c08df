// VGG16 (Simonyan and Zisserman 2015, configuration D) up to its second fully connected layer: the gate's feature of an
// image. Frozen: forward only. Parameters are named as torchvision's.

import { relu } from '../../engine/ops/elementwise.ts';
import { conv3x3 } from '../../engine/ops/images/convolution.ts';
import { adaptiveAveragePool, maxPool2x2 } from '../../engine/ops/images/pooling.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Linear } from '../layers.ts';
import type { ParameterSource } from '../parameter-source.ts';

export interface VggConfig {
  /** Output channels of each convolution, 'M' for a max pooling. */
  layers: readonly (number | 'M')[];
  /** Height and width that the last feature map is averaged to. */
  pool: number;
  /** Width of the fully connected layers. */
  hidden: number;
}

/** torchvision's vgg16. */
export const vgg16: VggConfig = {
  layers: [64, 64, 'M', 128, 128, 'M', 256, 256, 256, 'M', 512, 512, 512, 'M', 512, 512, 512, 'M'],
  pool: 7,
  hidden: 4096,
};

export class Vgg {
  readonly config: VggConfig;
  /** Convolutions with their ReLU, and poolings: [B, channels, H, W] -> [B, channels', H', W']. */
  #features: ((x: Tensor) => Tensor)[] = [];
  #inputs: number;
  #fc6: Linear;
  #fc7: Linear;

  constructor(p: ParameterSource, config: VggConfig) {
    let channels = 3;
    let index = 0; // in torchvision's `features`, where every convolution is followed by a ReLU
    for (const layer of config.layers) {
      this.#features.push(layer === 'M' ? maxPool2x2 : convolution(p, `features.${index}`, channels, layer));
      if (layer !== 'M') channels = layer;
      index += layer === 'M' ? 1 : 2;
    }
    this.config = config;
    this.#inputs = channels * config.pool ** 2;
    this.#fc6 = p.linear('classifier.0', this.#inputs, config.hidden);
    this.#fc7 = p.linear('classifier.3', config.hidden, config.hidden);
  }

  /** pixels [B, 3, S, S], normalised as torchvision does -> fc7 after its ReLU, [B, hidden]. */
  encode(pixels: Tensor): Tensor {
    return pixels.device.scope(() => {
      let x = pixels; // [B, channels, H, W]
      for (const layer of this.#features) {
        const before = x;
        x = layer(x);
        // The maps of a batch are large; the next layer may have this one's memory.
        if (before !== pixels) before.release();
      }
      const flat = reshape(adaptiveAveragePool(x, this.config.pool), [pixels.shape[0]!, this.#inputs]);
      return relu(this.#fc7(relu(this.#fc6(flat))));
    });
  }
}

/** relu(conv(x)) with a kernel of 3 x 3: [B, inputs, H, W] -> [B, outputs, H, W]. */
function convolution(p: ParameterSource, name: string, inputs: number, outputs: number) {
  const start = { bound: (9 * inputs) ** -0.5 };
  const weight = p.parameter(`${name}.weight`, [outputs, inputs, 3, 3], start);
  const bias = p.parameter(`${name}.bias`, [outputs], start);
  return (x: Tensor) => conv3x3(x, weight, bias, { relu: true });
}

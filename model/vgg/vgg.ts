// VGG16 (Simonyan and Zisserman 2015, configuration D) up to its second fully connected layer: the gate's
// feature of an image. Frozen: forward only. ParameterStore are named as torchvision's.

import { conv3x3 } from '../../engine/ops/convolution.ts';
import { relu } from '../../engine/ops/elementwise.ts';
import { linear } from '../../engine/ops/linear.ts';
import { adaptiveAveragePool, maxPool2x2 } from '../../engine/ops/pooling.ts';
import { reshape } from '../../engine/ops/shape.ts';
import type { Shape, Tensor } from '../../engine/tensor.ts';
import type { ParameterStore } from '../parameter-store.ts';

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

/** The parameters that `vggFeatures` needs, by torchvision's names. */
export function vggShapes({ layers, pool, hidden }: VggConfig): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  let channels = 3;
  let index = 0;
  for (const layer of layers) {
    if (layer !== 'M') {
      shapes.set(`features.${index}.weight`, [layer, channels, 3, 3]);
      shapes.set(`features.${index}.bias`, [layer]);
      channels = layer;
    }
    index += layer === 'M' ? 1 : 2; // every convolution is followed by a ReLU
  }
  const inputs = channels * pool ** 2;
  for (const [name, width] of [
    ['classifier.0', inputs],
    ['classifier.3', hidden],
  ] as const) {
    shapes.set(`${name}.weight`, [hidden, width]);
    shapes.set(`${name}.bias`, [hidden]);
  }
  return shapes;
}

/**
 * pixels [B, 3, S, S], normalised as torchvision does -> fc7 after its ReLU, [B, hidden]. Throws
 * ParameterError for a parameter that is missing or misshapen.
 */
export function vggFeatures(parameters: ParameterStore, config: VggConfig, pixels: Tensor): Tensor {
  const { device } = pixels;
  return device.scope(() => {
    let channels = pixels.shape[1]!;
    let index = 0; // in torchvision's `features`, where every convolution is followed by a ReLU
    let x = pixels; // [B, channels, H, W]
    for (const layer of config.layers) {
      const before = x;
      if (layer === 'M') {
        x = maxPool2x2(x);
        index += 1;
      } else {
        const module = parameters.under(`features.${index}`);
        x = conv3x3(x, module.get('weight', [layer, channels, 3, 3]), module.get('bias', [layer]), {
          relu: true,
        });
        channels = layer;
        index += 2;
      }
      // The maps of a batch are large; the next layer may have this one's memory.
      if (before !== pixels) before.release();
    }
    const inputs = channels * config.pool ** 2;
    const flat = reshape(adaptiveAveragePool(x, config.pool), [pixels.shape[0]!, inputs]);
    const fc6 = fullyConnected(parameters.under('classifier.0'), config.hidden, flat);
    return fullyConnected(parameters.under('classifier.3'), config.hidden, fc6);
  });
}

/** relu(x weight^T + bias), x [B, inputs] -> [B, outputs]. */
function fullyConnected(parameters: ParameterStore, outputs: number, x: Tensor): Tensor {
  const weight = parameters.get('weight', [outputs, x.shape[1]!]);
  return relu(linear(x, weight, parameters.get('bias', [outputs])));
}

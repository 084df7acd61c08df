// VGG16 from a safetensors file: with torchvision's names, or with those of timm, whose copy of torchvision's weights
// on the Hugging Face hub is the one to be had as safetensors. timm has the two fully connected layers as convolutions
// (timm/models/vgg.py, ConvMlp); their elements are the same in the same order.

import type { Device } from '../../engine/device.ts';
import { loadTensors, type WantedTensor } from '../load-tensors.ts';
import { type Built, declared } from '../parameter-source.ts';
import { ParameterStore } from '../parameter-store.ts';
import { Vgg, type VggConfig, vgg16 } from './vgg.ts';

/**
 * Loads the VGG in `file`, a path or an http(s) address; call it outside of any scope. Its last layer, which gives
 * classes, is left alone. Throws WeightsError, one line with file and tensor.
 */
export async function loadVgg(device: Device, file: string, config: VggConfig = vgg16): Promise<Built<Vgg>> {
  const tensors = await loadTensors(device, new Map([[file, wantedTensors(config)]]));
  return { module: new Vgg(new ParameterStore(tensors), config), tensors };
}

function wantedTensors(config: VggConfig): WantedTensor[] {
  return [...declared((p) => new Vgg(p, config))].map(([name, { shape }]) => {
    const timm = name.replace('classifier.0', 'pre_logits.fc1').replace('classifier.3', 'pre_logits.fc2');
    if (timm === name) return { name, shape };
    const side = name.startsWith('classifier.0') ? config.pool : 1;
    const [outputs, inputs] = shape;
    const kernel = inputs === undefined ? shape : [outputs!, inputs / side ** 2, side, side];
    return { name, shape, orElse: [{ name: timm, shape: kernel }] };
  });
}

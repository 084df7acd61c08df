// Kind `vgg`: the features of a VGG of any depth.

import { Vgg, type VggConfig } from '../../model/vgg/vgg.ts';
import type { CaseConfig } from './case.ts';
import { input, type Kind, readResults } from './kind.ts';

export const vgg: Kind = (context) =>
  context.device.scope(() => {
    const { config, parameters } = context;
    return readResults({ features: new Vgg(parameters, vggConfig(config)).encode(input(context, 'pixels')) });
  });

/** The network that a case's config describes. */
export function vggConfig(config: CaseConfig): VggConfig {
  return {
    layers: config.get('vgg_layers', "a list of widths and 'M'", isLayers),
    pool: config.number('vgg_pool'),
    hidden: config.number('vgg_hidden'),
  };
}

function isLayers(value: unknown): boolean {
  return Array.isArray(value) && value.every((layer) => layer === 'M' || typeof layer === 'number');
}

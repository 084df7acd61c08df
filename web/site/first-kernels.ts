// Which kernels a page's first answer needs, so that it can compile them while it downloads the rest: those that the same
// question needs here.

import type { Dataset } from '../../data/dataset.ts';
import type { KernelVariant } from '../../engine/device/pipelines.ts';
import { openDevice } from '../../engine/device.ts';
import { type LinkerOptions, openLinker } from '../../link/linker.ts';
import type { Site } from '../page/site.ts';

/** The kernels of CPU adapters and of GPUs, for a linker of these places. */
export async function firstKernels(
  places: Pick<LinkerOptions, 'index' | 'run' | 'clip' | 'system'>,
  { entities }: Pick<Dataset, 'entities'>,
): Promise<Site['kernels']> {
  const named = Object.fromEntries(Object.entries(places).filter(([, place]) => place !== undefined));
  const kernelsOf = async (asCpu: boolean): Promise<KernelVariant[]> => {
    const device = await openDevice({ isBrief: true, asCpu });
    const linker = await openLinker({ ...named, device });
    const recorded = device.recordKernels();
    const word = entities[0]!.name;
    await linker.link([{ word, sentence: `${word} and what is said of it` }], { explain: true });
    const kernels = recorded();
    await linker.close();
    device.destroy();
    return kernels;
  };
  return { cpu: await kernelsOf(true), gpu: await kernelsOf(false) };
}

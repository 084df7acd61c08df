// Loads full-size weights and compares what the encoders give with PyTorch's, by hand and not in `npm test`:
//
//   node bench/full-size/compare.ts clip FOLDER EXPECTED.safetensors
//   node bench/full-size/compare.ts vgg FILE EXPECTED.safetensors
//   node bench/full-size/compare.ts bert FOLDER EXPECTED.safetensors
//
// EXPECTED has what Hugging Face's CLIPModel made of ids, mask [B, L] and pixels [B, 3, 224, 224] (text_tokens,
// image_tokens: last_hidden_state; text_embeds, image_embeds: normalised), or torchvision's vgg16 of pixels (features:
// after the ReLU of classifier.4), or Hugging Face's BertModel of ids, mask, types [B, L] (hidden: last_hidden_state;
// pooled: pooler_output; random_bert.py beside this file makes both). Prints the largest difference against the largest value of each output, and the
// memory that loading took on the host: the growth of the resident set less what has been written to the device so far,
// since on a CPU adapter the device's buffers are memory of this process too. Exit code 1 when a difference is over
// 1e-3 (of BERT 1e-5) or memory over its limit, 1.5 times the largest tensor + 300 MB.

import { openDevice } from '../../engine/device.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { loadBert } from '../../model/bert/load-bert.ts';
import { loadClip } from '../../model/clip/load-clip.ts';
import { loadVgg } from '../../model/vgg/load-vgg.ts';
import { openSafetensors } from '../../weights/safetensors.ts';

const [kind, weights, expectedFile] = process.argv.slice(2);
if ((kind !== 'clip' && kind !== 'vgg' && kind !== 'bert') || !weights || !expectedFile) {
  console.error('usage: node bench/full-size/compare.ts clip|vgg|bert WEIGHTS EXPECTED.safetensors');
  process.exit(1);
}
const mostRelative = kind === 'bert' ? 1e-5 : 1e-3;
const device = await openDevice();
console.log(device.description);
const expected = await openSafetensors(expectedFile);

const memory = watchMemory();
const start = performance.now();
const clip = kind === 'clip' ? await loadClip(device, weights) : null;
const vgg = kind === 'vgg' ? await loadVgg(device, weights) : null;
const bert = kind === 'bert' ? await loadBert(device, weights, { pooler: true }) : null;
const seconds = (performance.now() - start) / 1000;
const { growth, host } = memory.stop();
const bytes = [...(clip ?? vgg ?? bert)!.tensors.values()].map((tensor) => tensor.bytes);
const allBytes = bytes.reduce((a, b) => a + b);
const limit = 1.5 * Math.max(...bytes) + 300e6;
console.log(
  `loaded ${mega(allBytes)} in ${seconds.toFixed(1)} s; largest tensor ${mega(Math.max(...bytes))}; ` +
    `the host took up to ${mega(growth)} more, ` +
    `of it JavaScript ${mega(host)}; limit ${mega(limit)}`,
);
if (growth > limit) process.exitCode = 1;

if (clip) {
  const batch = await textBatch();
  const text = clip.module.text.encode(batch);
  const image = clip.module.vision.encode(await pixels());
  // Tokens of padding are nobody's business: masks differ in what they let them see.
  const real = (row: number) => batch.mask[row] === 1;
  await compare('text_tokens', text.tokens, real);
  await compare('text_embeds', text.embeds);
  await compare('image_tokens', image.tokens);
  await compare('image_embeds', image.embeds);
} else if (bert) {
  const batch = await textBatch();
  const hidden = bert.module.encode({ ...batch, types: await expected.readIntegers('types') });
  await compare('hidden', hidden, (row) => batch.mask[row] === 1);
  await compare('pooled', bert.pooler!.pool(hidden));
} else {
  await compare('features', vgg!.module.encode(await pixels()));
}
await expected.close();
device.destroy();

async function textBatch() {
  const [count, length] = expected.info('ids').shape as [number, number];
  const [ids, mask] = [await expected.readIntegers('ids'), await expected.readIntegers('mask')];
  return { ids, mask, count, length };
}

async function pixels(): Promise<Tensor> {
  return device.tensor(expected.info('pixels').shape, await expected.readFloats('pixels'));
}

async function compare(name: string, tensor: Tensor, isReal: (row: number) => boolean = () => true) {
  const [ours, theirs] = [await device.read<'f32'>(tensor), await expected.readFloats(name)];
  const width = tensor.shape.at(-1)!;
  let [difference, largest] = [ours.length === theirs.length ? 0 : Number.POSITIVE_INFINITY, 0];
  theirs.forEach((value, i) => {
    if (!isReal(Math.floor(i / width))) return;
    difference = Math.max(difference, Math.abs(value - ours[i]!));
    largest = Math.max(largest, Math.abs(value));
  });
  const relative = difference / largest;
  console.log(
    `${name.padEnd(13)} [${tensor.shape}] largest ${largest.toFixed(3)}, relative ${relative.toExponential(1)}`,
  );
  if (!(relative <= mostRelative)) process.exitCode = 1;
}

/** Watches this process until `stop`, which gives the peaks of growth in bytes. */
function watchMemory() {
  const own = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const [ownBefore, before] = [own(), process.memoryUsage.rss()];
  let [growth, host, written] = [0, 0, 0];
  const look = () => {
    host = Math.max(host, own() - ownBefore);
    growth = Math.max(growth, process.memoryUsage.rss() - before - written);
  };
  // The system gives a buffer its memory as it is written, so written bytes are all the device can have by now. Parts
  // of large tensors pass through small buffers, which count as the host's.
  const { write, copy } = device;
  device.write = (tensor, data) => {
    write.call(device, tensor, data);
    look();
    if (!tensor.name.startsWith('part of')) written += tensor.bytes;
  };
  device.copy = (from, to, count = from.size, ...places) => {
    copy.call(device, from, to, count, ...places);
    look();
    written += 4 * count;
  };
  const timer = setInterval(look, 5);
  return {
    stop() {
      look();
      clearInterval(timer);
      return { growth, host };
    },
  };
}

function mega(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

// The vision encoder, distilled into two spaces at once: that of texts, so that a picture lies near what is said of its
// entity, and that of plain pixels, by which the same picture is found again. A second head gives the latter from the
// image's embedding; it is dropped afterwards, what it taught stays.

import { add, scale } from '../../../engine/ops/elementwise.ts';
import { l2Normalize } from '../../../engine/ops/l2-normalize.ts';
import { slice } from '../../../engine/ops/shape.ts';
import { Random } from '../../../engine/random.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { UsageError } from '../../../files/errors.ts';
import { type ClipConfig, ClipImageEncoder } from '../../../model/clip/clip.ts';
import { initialise } from '../../../model/initialise.ts';
import type { Projection } from '../../../model/layers.ts';
import type { ParameterSource } from '../../../model/parameter-source.ts';
import { Cycle, RandomStream } from '../../random-stream.ts';
import { type ClipPretraining, phaseSchemas } from '../clip-schema.ts';
import { type Phase, type PhaseStep, trainPhase, type Workplace } from '../phase.ts';
import { pickRows, type Rows } from '../principal-axes.ts';
import { contrast, distance } from '../text/text-loss.ts';
import { readWeights, type Weights } from '../weights.ts';
import { augmentationOf, viewsOf } from './augment.ts';
import { pixelStart, writePixelStart } from './begin-as-pixels.ts';
import { type Picture, pixelFeatures } from './pictures.ts';

class ImageStudent {
  readonly encoder: ClipImageEncoder;
  readonly viewScale: Tensor;
  readonly textScale: Tensor;
  readonly pixelHead: Projection;

  constructor(p: ParameterSource, config: ClipConfig, pixelAxes: number, logitScale: number) {
    this.encoder = new ClipImageEncoder(p, config);
    this.viewScale = p.parameter('view_scale', [], { value: logitScale });
    this.textScale = p.parameter('text_scale', [], { value: logitScale });
    this.pixelHead = p.projection('pixel_head', config.projection, pixelAxes, {
      deviation: config.projection ** -0.5,
    });
  }
}

/** Trains the encoder on the knowledge base's pictures; `texts` [entities, d_z] are the teacher's vectors, mapped. */
export async function trainVision(
  place: Workplace,
  config: ClipPretraining,
  shape: ClipConfig,
  pictures: readonly Picture[],
  texts: Rows,
  madeFrom: Phase['madeFrom'],
  validate: (encoder: ClipImageEncoder) => ReturnType<Phase['validate']>,
): Promise<Weights> {
  const { device } = place;
  const { vision, loss } = config;
  const pixels = await pixelFeatures(device, pictures, vision.imageSize, vision.pixelSide, vision.pixelAxes);
  const { module, tensors } = initialise(
    device,
    new Random(place.seed),
    (p) => new ImageStudent(p, shape, vision.pixelAxes, Math.log(loss.logitScale)),
    vision.beginAsPixels ? pixelStart : undefined,
  );
  try {
    if (vision.beginAsPixels) await writePixelStart(device, module.encoder, tensors, pictures, place.seed);
    await trainPhase(place, {
      name: 'vision',
      settings: vision,
      schedule: 'cosine',
      adam: { beta2: 0.98, eps: 1e-6 },
      parameters: tensors,
      schema: phaseSchemas.vision,
      config,
      madeFrom,
      batches: () => imageSteps(module, config, pictures, pixels, texts, place.seed),
      validate: () => validate(module.encoder),
    });
    return await readWeights(
      device,
      [...tensors].filter(([name]) => name.startsWith('vis')),
    );
  } finally {
    for (const tensor of tensors.values()) tensor.release();
  }
}

function* imageSteps(
  student: ImageStudent,
  { vision, views, loss }: ClipPretraining,
  pictures: readonly Picture[],
  pixels: Rows,
  texts: Rows,
  seed: number,
): Generator<PhaseStep, never> {
  const { device } = student.viewScale;
  const { imageSize } = vision;
  const augmentation = augmentationOf(views);
  const draws = new RandomStream(seed);
  const cycle = new Cycle(
    pictures.map((_, i) => i),
    draws,
  );
  while (true) {
    const chosen = cycle.fill(vision.images, () => 1);
    const viewSeed = draws.below(2 ** 32);
    const entities = chosen.map((i) => pictures[i]!.entity);
    yield {
      examples: 2 * chosen.length,
      loss: () => {
        const both = [...chosen, ...chosen].map((i) => pictures[i]!.pixels);
        const images = viewsOf(both, imageSize, augmentation, new RandomStream(viewSeed));
        const input = device.tensor([both.length, 3, imageSize, imageSize], images, { name: 'pixels' });
        const embeds = student.encoder.encode(input).embeds;
        const goals = [pickRows(texts, entities), pickRows(pixels, chosen)] as const;
        return imageLoss(student, embeds, entities, goals, vision, loss.maxLogitScale);
      },
    };
  }
}

/** The loss of two views of n images, embeds [2 n, d_z], a scalar; `entities` says whose each image is. */
function imageLoss(
  { viewScale, textScale, pixelHead }: ImageStudent,
  embeds: Tensor,
  entities: readonly number[],
  [textGoals, pixelGoals]: readonly [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>],
  weights: ClipPretraining['vision'],
  maxScale: number,
): Tensor {
  const { device } = embeds;
  const n = entities.length;
  const views = [slice(embeds, 0, 0, n), slice(embeds, 0, n, n)] as const;
  const texts = device.tensor([n, textGoals.length / n], textGoals);
  const pixels = device.tensor([n, pixelGoals.length / n], pixelGoals);
  const parts: Tensor[] = [];
  const part = (weight: number, make: () => Tensor) => {
    if (weight > 0) parts.push(scale(make(), weight));
  };
  part(weights.viewContrast, () => contrast(views[0], views[1], entities, viewScale, maxScale));
  for (const view of views) {
    part(weights.textDistance / 2, () => distance(view, texts));
    part(weights.textContrast / 2, () => contrast(view, texts, entities, textScale, maxScale));
    part(weights.pixelDistance / 2, () => distance(l2Normalize(pixelHead(view)), pixels));
  }
  if (parts.length === 0) throw new UsageError('every part of the loss of images has weight 0');
  return parts.reduce(add);
}

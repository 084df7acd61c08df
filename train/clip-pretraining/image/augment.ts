// Random views of an image: scaled, shifted, turned, and other colours. No mirroring: flags would become
// others. Works on normalised pixels on the host.

import type { RandomStream } from '../../random-stream.ts';

/** How far a view may be from its image. */
export interface Augmentation {
  /** Smallest and largest size of the image in the view. */
  scale: readonly [number, number];
  /** Largest shift along each axis, as a part of the side. */
  shift: number;
  /** Largest turn in degrees. */
  rotation: number;
  /**
   * Largest change of brightness (in standard deviations), of contrast and of a colour's strength (as
   * parts).
   */
  colour: number;
}

/** The augmentation that a configuration asks for. */
export function augmentationOf({
  zoom,
  ...others
}: Omit<Augmentation, 'scale'> & { zoom: number }): Augmentation {
  return { scale: [1 / (1 + zoom), 1 + zoom], ...others };
}

/** A random view of each image, [n, 3, size, size]. */
export function viewsOf(
  images: readonly Float32Array[],
  size: number,
  augmentation: Augmentation,
  draws: RandomStream,
): Float32Array<ArrayBuffer> {
  const values = 3 * size * size;
  const views = new Float32Array(images.length * values);
  images.forEach((image, i) => {
    randomView(image, views.subarray(i * values, (i + 1) * values), size, augmentation, draws);
  });
  return views;
}

/**
 * Writes a random view of `image` into `view`; both [3, size, size]. Beyond its edges the image goes on as
 * they are.
 */
function randomView(
  image: Float32Array,
  view: Float32Array,
  size: number,
  { scale, shift, rotation, colour }: Augmentation,
  draws: RandomStream,
): void {
  const zoom = draws.between(...scale);
  const angle = (draws.between(-rotation, rotation) * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle) / zoom, Math.sin(angle) / zoom];
  const centre = (size - 1) / 2;
  const left = centre + size * draws.between(-shift, shift);
  const top = centre + size * draws.between(-shift, shift);
  const gain = 1 + draws.between(-colour, colour);
  const bias = draws.between(-colour, colour);
  const grey = draws.between(0, colour);
  const tint = [0, 1, 2].map(() => draws.between(-colour, colour) / 2) as [number, number, number];
  const plane = size * size;
  const last = size - 1;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [dx, dy] = [x - left, y - top];
      const u = Math.min(last, Math.max(0, cos * dx + sin * dy + centre));
      const v = Math.min(last, Math.max(0, cos * dy - sin * dx + centre));
      const [u0, v0] = [Math.floor(u), Math.floor(v)];
      const [u1, v1] = [Math.min(last, u0 + 1), Math.min(last, v0 + 1)];
      const [a, b] = [u - u0, v - v0];
      const [i00, i01, i10, i11] = [v0 * size + u0, v0 * size + u1, v1 * size + u0, v1 * size + u1];
      const at = y * size + x;
      let mean = 0;
      for (let c = 0; c < 3; c++) {
        const o = c * plane;
        const upper = image[o + i00]! * (1 - a) + image[o + i01]! * a;
        const lower = image[o + i10]! * (1 - a) + image[o + i11]! * a;
        const value = upper * (1 - b) + lower * b;
        view[o + at] = value;
        mean += value / 3;
      }
      for (let c = 0; c < 3; c++) {
        const o = c * plane + at;
        view[o] = gain * (view[o]! + grey * (mean - view[o]!)) + bias + tint[c]!;
      }
    }
  }
}

// H@1 of mentions with and without an image: a full and an open dot a system, and the line between them.

import * as Plot from '@observablehq/plot';
import { draw } from '../../report/charts.ts';
import type { Html } from '../../report/html.ts';

export interface ImageDots {
  /** 'number name' */
  title: string;
  image: number;
  noImage: number;
  isDsmip: boolean;
}

export function imageChart(label: string, systems: readonly ImageDots[]): Html {
  const top = Math.min(100, 10 * Math.ceil(Math.max(...systems.flatMap((s) => [s.image, s.noImage])) / 10));
  const colour = ({ isDsmip }: ImageDots) => `var(--${isDsmip ? 'multimodal' : 'text'})`;
  return draw(label, {
    height: 22 * systems.length + 50,
    marginTop: 4,
    marginBottom: 40,
    marginLeft: 132,
    marginRight: 16,
    x: { label: 'H@1, percent', domain: [0, Math.max(10, top)], grid: true, ticks: 5 },
    y: { label: null, domain: systems.map(({ title }) => title), tickSize: 0 },
    marks: [
      Plot.link(systems, {
        x1: 'image',
        x2: 'noImage',
        y1: 'title',
        y2: 'title',
        stroke: 'currentColor',
        strokeOpacity: 0.5,
      }),
      Plot.dot(systems, { x: 'image', y: 'title', r: 4.5, fill: colour, title: titleOf('image') }),
      Plot.dot(systems, {
        x: 'noImage',
        y: 'title',
        r: 4.5,
        fill: 'var(--page)',
        stroke: colour,
        strokeWidth: 2,
        title: titleOf('noImage'),
      }),
    ],
  });
}

function titleOf(group: 'image' | 'noImage') {
  const words = group === 'image' ? 'with' : 'without';
  return (system: ImageDots) => `${system.title}, ${words} an image: ${system[group].toFixed(1)}`;
}

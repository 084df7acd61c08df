// Quality against a cost, a numbered dot a system; the costs differ by powers of ten.

import * as Plot from '@observablehq/plot';
import { draw } from '../../report/charts.ts';
import type { Html } from '../../report/html.ts';

export interface Dot {
  /** In tables. */
  number: number;
  title: string;
  /** The cost: at least 0. */
  x: number;
  /** Percent. */
  y: number;
  /** One of DSMIP's, which are diamonds; baselines are circles. */
  isDsmip: boolean;
}

const size = { width: 340, height: 280 };
const margins = { marginTop: 24, marginRight: 20, marginBottom: 40, marginLeft: 40 };
/** Where a number may stand, from its dot. */
const places = [
  [0, -11],
  [12, 0],
  [-12, 0],
  [0, 12],
  [11, -9],
  [-11, -9],
  [11, 10],
  [-11, 10],
  [0, -22],
  [22, 0],
  [-22, 0],
  [0, 23],
] as const;

/** `unit`: what the x axis counts. A cost of 0 stands at the left edge, as 'none'. */
export function scatterChart(label: string, unit: string, dots: readonly Dot[]): Html {
  const costs = dots.map(({ x }) => x).filter((x) => x > 0);
  const hasNone = costs.length < dots.length;
  const least = costs.length === 0 ? 1 : Math.min(...costs);
  const most = costs.length === 0 ? 1 : Math.max(...costs);
  const low = hasNone ? least / 4 : least / 1.3;
  const high = Math.max(most * 1.3, low * 10);
  const placed = dots.map((dot) => ({ ...dot, x: dot.x > 0 ? dot.x : low }));
  const bottom = Math.max(0, Math.floor(Math.min(...dots.map(({ y }) => y)) / 10) * 10 - 2);
  const top = Math.min(102, Math.ceil(Math.max(...dots.map(({ y }) => y)) / 10) * 10 + 2);
  const ticks = ticksOf(hasNone ? least / 1.001 : low, high);
  const offsets = labelOffsets(
    placed.map(({ x, y }) => ({
      x: (size.width * Math.log(x / low)) / Math.log(high / low),
      y: (size.height * (top - y)) / (top - bottom),
    })),
  );
  const colour = ({ isDsmip }: Dot) => `var(--${isDsmip ? 'multimodal' : 'text'})`;
  return draw(label, {
    ...margins,
    height: size.height,
    x: {
      type: 'log',
      label: unit,
      domain: [low, high],
      ticks: hasNone ? [low, ...ticks] : ticks,
      tickFormat: (x: number) => (hasNone && x === low ? 'none' : short(x)),
    },
    y: { label: 'H@1, percent', domain: [bottom, top], grid: true, ticks: 5 },
    marks: [
      Plot.dot(placed, {
        x: 'x',
        y: 'y',
        r: 4.5,
        fill: colour,
        symbol: ({ isDsmip }: Dot) => (isDsmip ? 'diamond' : 'circle'),
        title: ({ title, x, y }: Dot) =>
          `${title}: H@1 ${y.toFixed(1)}, ${x === low && hasNone ? 'none' : short(x)}`,
      }),
      ...placed.map((dot, i) =>
        Plot.text([dot], {
          x: 'x',
          y: 'y',
          text: ({ number }: Dot) => `${number}`,
          dx: offsets[i]![0],
          dy: offsets[i]![1],
        }),
      ),
    ],
    symbol: { type: 'identity' },
  } as Plot.PlotOptions);
}

/** 1, 2 and 5 times powers of ten in a range, or the powers alone where these are enough. */
function ticksOf(low: number, high: number): number[] {
  const decades = Array.from({ length: 40 }, (_, i) => 10 ** (i - 15));
  const within = (values: number[]) => values.filter((x) => x >= low && x <= high);
  const powers = within(decades);
  if (powers.length >= 3) return powers.length > 6 ? powers.filter((_, i) => i % 2 === 0) : powers;
  return within(decades.flatMap((x) => [x, 2 * x, 5 * x]));
}

/** '1.2M' */
function short(x: number): string {
  const rounded = (value: number) => `${+value.toPrecision(2)}`;
  if (x >= 1e9) return `${rounded(x / 1e9)}G`;
  if (x >= 1e6) return `${rounded(x / 1e6)}M`;
  if (x >= 1e3) return `${rounded(x / 1e3)}k`;
  return rounded(x);
}

/** For each dot the first place for its number that no dot and no number before it has. */
function labelOffsets(dots: readonly { x: number; y: number }[]): (readonly [number, number])[] {
  const numbers: { x: number; y: number }[] = [];
  return dots.map((dot) => {
    const taken = (place: readonly [number, number]) => {
      const [x, y] = [dot.x + place[0], dot.y + place[1]];
      const isNear = (other: { x: number; y: number }) =>
        Math.abs(other.x - x) < 13 && Math.abs(other.y - y) < 10;
      return dots.filter((other) => other !== dot).filter(isNear).length + 2 * numbers.filter(isNear).length;
    };
    const best = places.reduce((a, b) => (taken(b) < taken(a) ? b : a));
    numbers.push({ x: dot.x + best[0], y: dot.y + best[1] });
    return best;
  });
}

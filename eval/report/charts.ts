// The report's charts as SVG, drawn by Observable Plot on a document that lives in memory. Colours are CSS
// variables of style.ts, so that the dark page has its own; nothing is told by colour alone.

import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { Html } from './html.ts';

const { document } = parseHTML('<!doctype html><html><body></body></html>');

/** Width of a chart in its own units: about that of a page column, so that its text has the page's size. */
const width = 340;

/** The colour of an expert or a system. */
export function colourOf(name: string): string {
  return `var(--${['text', 'visual', 'multimodal'].includes(name) ? name : 'neutral'})`;
}

/** Loss by step: every step faintly, and the mean over the last twentieth of the steps. */
export function lossChart(
  label: string,
  steps: readonly { step: number; loss: number }[],
  colour: string,
): Html {
  const k = Math.max(1, Math.round(steps.length / 20));
  return draw(label, {
    height: 176,
    marginBottom: 36,
    x: { label: 'step', ticks: 5, tickFormat: 'd' },
    y: { label: 'loss', zero: true, grid: true, ticks: 4, nice: true },
    marks: [
      Plot.lineY(steps, { x: 'step', y: 'loss', stroke: colour, strokeOpacity: 0.3, strokeWidth: 1 }),
      Plot.lineY(
        steps,
        Plot.windowY({ k, anchor: 'end' }, { x: 'step', y: 'loss', stroke: colour, strokeWidth: 2 }),
      ),
    ],
  });
}

/** Validation by epoch: MRR and H@1; a ring marks the epoch that was kept. */
export function validationChart(
  label: string,
  epochs: readonly { epoch: number; hits1: number; mrr: number }[],
  colour: string,
): Html {
  const points = epochs.flatMap(({ epoch, hits1, mrr }) => [
    { epoch, value: mrr, metric: 'MRR' },
    { epoch, value: hits1, metric: 'H@1' },
  ]);
  const last = epochs.length;
  const best = epochs.reduce((a, b) => (b.mrr > a.mrr ? b : a));
  const line = (metric: string, dash: string) => {
    const of = points.filter((point) => point.metric === metric);
    return [
      Plot.lineY(of, { x: 'epoch', y: 'value', stroke: colour, strokeWidth: 2, strokeDasharray: dash }),
      Plot.dot(of, { x: 'epoch', y: 'value', r: 3, fill: colour, title: titleOf }),
      Plot.text(of.slice(-1), { x: 'epoch', y: 'value', text: 'metric', textAnchor: 'start', dx: 8 }),
    ];
  };
  return draw(label, {
    height: 176,
    marginBottom: 36,
    marginRight: 44,
    x: {
      label: 'epoch',
      domain: [
        Math.min(...epochs.map(({ epoch }) => epoch)),
        Math.max(2, ...epochs.map(({ epoch }) => epoch)),
      ],
      ticks: Math.min(10, last),
      interval: 1,
      tickFormat: 'd',
    },
    y: { label: 'percent', grid: true, ticks: 4, nice: true },
    marks: [
      ...line('MRR', '0'),
      ...line('H@1', '5 3'),
      Plot.dot([best], { x: 'epoch', y: 'mrr', r: 6.5, stroke: 'currentColor', strokeWidth: 1.5 }),
    ],
  });
}

function titleOf({ epoch, value, metric }: { epoch: number; value: number; metric: string }): string {
  return `epoch ${epoch}: ${metric} ${value.toFixed(2)}`;
}

/** Precision against recall, both in percent, of answers above a threshold; the thresholds stand beside the points. */
export function thresholdChart(
  label: string,
  points: readonly { threshold: number; precision: number; recall: number }[],
): Html {
  const colour = colourOf('neutral');
  return draw(label, {
    height: 220,
    marginBottom: 40,
    marginRight: 40,
    x: { label: 'recall, percent', domain: [0, 100], grid: true, ticks: 5 },
    y: { label: 'precision, percent', domain: [0, 100], grid: true, ticks: 5 },
    marks: [
      Plot.line(points, { x: 'recall', y: 'precision', stroke: colour, strokeWidth: 2 }),
      Plot.dot(points, { x: 'recall', y: 'precision', r: 3, fill: colour }),
      Plot.text(
        points.filter((_, i) => i % 4 === 0),
        {
          x: 'recall',
          y: 'precision',
          text: ({ threshold }: { threshold: number }) => threshold.toFixed(1),
          textAnchor: 'start',
          dx: 7,
          dy: -7,
        },
      ),
    ],
  });
}

/** H@1 of each system with one standard error to each side, in percent on a scale that charts share. */
export function systemChart(
  label: string,
  systems: readonly { name: string; title: string; hits1: number; error: number }[],
  top: number,
): Html {
  const colour = ({ name }: { name: string }) => colourOf(name);
  return draw(label, {
    height: 24 * systems.length + 46,
    marginTop: 4,
    marginBottom: 40,
    marginLeft: 116,
    marginRight: 40,
    x: { label: 'H@1, percent', domain: [0, top], grid: true, ticks: 5 },
    y: { label: null, domain: systems.map(({ title }) => title), tickSize: 0 },
    marks: [
      Plot.ruleX([0], { stroke: 'currentColor', strokeOpacity: 0.4 }),
      Plot.link(systems, {
        x1: ({ hits1, error }) => hits1 - error,
        x2: ({ hits1, error }) => hits1 + error,
        y1: 'title',
        y2: 'title',
        stroke: 'currentColor',
        strokeWidth: 1.5,
      }),
      Plot.dot(systems, { x: 'hits1', y: 'title', r: 5, fill: colour }),
      Plot.text(systems, {
        x: ({ hits1, error }) => hits1 + error,
        y: 'title',
        text: ({ hits1 }) => hits1.toFixed(1),
        textAnchor: 'start',
        dx: 8,
        fontVariant: 'tabular-nums',
      }),
    ],
  });
}

/** Shares of the experts in several groups of pairs, each group a bar of 100 percent. */
export function choiceChart(
  label: string,
  groups: readonly { title: string; shares: readonly { expert: string; percent: number }[] }[],
): Html {
  const bars = groups.flatMap(({ title, shares }) => shares.map((share) => ({ title, ...share })));
  const experts = groups[0]?.shares.map(({ expert }) => expert) ?? [];
  const stacked = { x: 'percent', y: 'title', z: 'expert', order: experts };
  return draw(label, {
    height: 34 * groups.length + 46,
    marginTop: 2,
    marginBottom: 40,
    marginLeft: 152,
    marginRight: 14,
    x: { label: 'percent of the pairs', domain: [0, 100], ticks: 5 },
    y: { label: null, domain: groups.map(({ title }) => title), tickSize: 0, padding: 0.3 },
    marks: [
      Plot.barX(
        bars,
        Plot.stackX({
          ...stacked,
          fill: ({ expert }: { expert: string }) => colourOf(expert),
          stroke: 'var(--page)',
          strokeWidth: 1.5,
          title: ({ expert, percent }: { expert: string; percent: number }) =>
            `${expert}: ${percent.toFixed(1)} %`,
        }),
      ),
      Plot.text(
        bars,
        Plot.stackX({
          ...stacked,
          text: ({ expert, percent }: { expert: string; percent: number }) =>
            longestThatFits([`${expert} ${percent.toFixed(0)} %`, `${percent.toFixed(0)} %`], 1.74 * percent),
          fill: 'var(--on-colour)',
        }),
      ),
    ],
  });
}

/** The first text that is no longer than `room`, in the chart's units; '' if none is. */
function longestThatFits(texts: readonly string[], room: number): string {
  return texts.find((text) => 7 * text.length + 6 <= room) ?? '';
}

/** A chart of a page column's width; `label` says in words what it shows. */
export function draw(label: string, options: Plot.PlotOptions): Html {
  const style = { fontSize: '11.5px', fontFamily: 'inherit', background: 'none' };
  const svg = Plot.plot({ document, width, ariaLabel: label, style, ...options } as Plot.PlotOptions);
  svg.setAttribute('role', 'img');
  return new Html(svg.outerHTML);
}

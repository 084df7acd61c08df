// What long work says of itself, on a terminal as one line that redraws itself, elsewhere as a line every ten seconds.

import { duration } from '../eval/stages.ts';
import { sizeText } from '../train/experts/memory-estimate.ts';
import type { Hooks, Progress, WorkEvent } from '../train/hooks.ts';

/** Milliseconds between two lines, on a terminal and elsewhere. */
const pauses = { terminal: 100, plain: 10_000 };

/** Hooks that print. Ctrl-C once stops the work between two steps, twice at once. */
export function showWork(): Required<Pick<Hooks, 'onProgress' | 'onWarning' | 'onEvent' | 'signal'>> {
  const line = new ProgressLine();
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort(new StoppedError()));
  return {
    signal: stop.signal,
    onProgress: (progress) => line.show(progress),
    onWarning(text) {
      line.clear();
      console.error(text);
    },
    onEvent(event) {
      line.clear();
      console.log(eventLine(event));
    },
  };
}

/** The user stopped the work. */
export class StoppedError extends Error {}

class ProgressLine {
  #task = '';
  #start = 0;
  #shownAt = 0;
  #examples = 0;
  #isOpen = false;

  show(progress: Progress): void {
    const { task, done, total, examples = 0 } = progress;
    const now = performance.now();
    if (task !== this.#task || (total !== 1 && done <= 1)) {
      this.#task = task;
      this.#start = now;
      this.#examples = 0;
      // A training's first step says that it has begun; short work shows nothing.
      this.#shownAt = total === 1 ? now : Number.NEGATIVE_INFINITY;
    }
    this.#examples += examples;
    const isTerminal = process.stdout.isTTY === true;
    const isLast = done >= total && total !== 1;
    if (!isLast && now - this.#shownAt < (isTerminal ? pauses.terminal : pauses.plain)) return;
    this.#shownAt = now;
    const text = lineOf(progress, (now - this.#start) / 1000, this.#examples);
    if (isTerminal) process.stdout.write(`\r\x1b[K${text}${isLast ? '\n' : ''}`);
    else console.log(text);
    this.#isOpen = isTerminal && !isLast;
  }

  /** Makes room for another line. */
  clear(): void {
    if (this.#isOpen) process.stdout.write('\r\x1b[K');
    this.#isOpen = false;
  }
}

function lineOf({ task, done, total, loss }: Progress, seconds: number, examples: number): string {
  const left = done > 0 ? duration(Math.max(0, seconds * (total / done - 1))) : '?';
  if (total === 1) return `${task}: ${(100 * done).toFixed(0)} %  ETA ${left}`;
  // The clock starts with the first step's end.
  const rate = seconds > 0 ? `${(examples / seconds).toFixed(0)} examples/s  ` : '';
  const value = loss === undefined ? '' : `loss ${loss.toFixed(4)}  `;
  return `${task}: step ${done}/${total}  ${value}${rate}ETA ${left}`;
}

function eventLine(event: WorkEvent): string {
  switch (event.type) {
    case 'memory plan': {
      const how =
        event.chunk === 0
          ? 'the whole batch encoded at once'
          : `${event.chunk} texts or images encoded at a time`;
      return `a step will take up to ${sizeText(event.bytes)} of device memory, ${how}`;
    }
    case 'memory':
      return `a step took up to ${sizeText(event.bytes)} of device memory`;
    case 'resumed':
      return `resumed after epoch ${event.epoch}`;
    case 'epoch': {
      const { epoch, epochs, dev, choices } = event;
      const picks = Object.entries(choices ?? {}).map(([kind, percent]) => `${kind} ${percent.toFixed(1)} %`);
      return (
        `epoch ${epoch}/${epochs}  dev H@1 ${dev['hits@1'].toFixed(2)}  MRR ${dev.mrr.toFixed(2)}  ` +
        `MR ${dev.mr.toFixed(1)}${picks.length > 0 ? `  chosen ${picks.join(', ')}` : ''}`
      );
    }
    case 'trained':
      return `best epoch ${event.epoch} with dev MRR ${event.mrr.toFixed(2)}: ${event.file}`;
    default:
      return event satisfies never;
  }
}

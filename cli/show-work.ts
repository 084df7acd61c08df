// What long work says of itself, on a terminal as one line that redraws itself, elsewhere as a line every ten seconds.

import { duration } from '../eval/stages.ts';
import { visible, visibleLines } from '../files/errors.ts';
import { sizeText } from '../train/experts/memory-estimate.ts';
import type { Hooks, Progress, WorkEvent } from '../train/hooks.ts';
import { OutputClosedError, onOutputLost, printError } from './output.ts';

/** Milliseconds between two lines, on a terminal and elsewhere. */
const pauses = { terminal: 100, plain: 10_000 };

/** Hooks that print. */
type ShownHooks = Required<Pick<Hooks, 'onProgress' | 'onWarning' | 'onEvent' | 'signal'>>;

export interface ShownWork extends ShownHooks {
  /** Prints a line of its own. */
  line(text: string): void;
  /** Hooks for one of several pieces of work that are done at once: their lines say whose they are. */
  named(name: string): ShownHooks;
}

/**
 * Hooks that print, to the standard output or, where that is for results alone, the standard error. Ctrl-C once stops the
 * work between two steps, twice at once; so does an output that nobody reads.
 */
export function showWork(output: 'stdout' | 'stderr' = 'stdout'): ShownWork {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort(new StoppedError()));
  if (output === 'stdout') {
    onOutputLost((error) =>
      stop.abort(error instanceof OutputClosedError ? OutputClosedError.ofWork() : error),
    );
  }
  const { signal } = stop;
  const rows: ProgressRow[] = [];
  const screen = new Screen(rows, process[output]);
  // A hook throws nothing: an output that is lost stops the work by its signal.
  const printLine = (text: string) => process[output].write(`${visibleLines(text)}\n`);
  const hooksOf = (name: string): ShownHooks => {
    const row = new ProgressRow(name);
    rows.push(row);
    const prefix = name === '' ? '' : `${name}: `;
    return {
      signal,
      onProgress: (progress) => screen.progress(row, progress),
      onWarning: (text) => screen.print(`${prefix}${text}`, printError),
      onEvent(event) {
        if (event.type === 'trained') row.end();
        // What is on the device is that of all that goes on.
        if (event.type === 'memory' && name !== '') return;
        screen.print(`${prefix}${eventLine(event)}`, printLine);
      },
    };
  };
  return {
    ...hooksOf(''),
    line: (text) => screen.print(text, printLine),
    named: hooksOf,
  };
}

/** The user stopped the work. */
export class StoppedError extends Error {}

/** How far one piece of work is. */
class ProgressRow {
  readonly name: string;
  #latest: Progress | null = null;
  #start = 0;
  #examples = 0;
  shownAt = 0;

  constructor(name: string) {
    this.name = name;
  }

  take(progress: Progress, now: number): void {
    const { task, done, total, examples = 0 } = progress;
    if (task !== this.#latest?.task || (total !== 1 && done <= 1)) {
      this.#start = now;
      this.#examples = 0;
      // A training's first step says that it has begun; short work shows nothing.
      this.shownAt = total === 1 ? now : Number.NEGATIVE_INFINITY;
    }
    this.#latest = progress;
    this.#examples += examples;
  }

  end(): void {
    this.#latest = null;
  }

  /** Null where nothing goes on. */
  text(now: number): string | null {
    if (!this.#latest) return null;
    const prefix = this.name === '' ? '' : `${this.name}: `;
    return prefix + lineOf(this.#latest, (now - this.#start) / 1000, this.#examples);
  }
}

/** On a terminal one line for all that goes on, which redraws itself; elsewhere a line for each now and then. */
class Screen {
  readonly #rows: readonly ProgressRow[];
  readonly #output: NodeJS.WriteStream;
  readonly #isTerminal: boolean;
  #isDrawn = false;

  constructor(rows: readonly ProgressRow[], output: NodeJS.WriteStream) {
    this.#rows = rows;
    this.#output = output;
    this.#isTerminal = output.isTTY === true;
  }

  progress(row: ProgressRow, progress: Progress): void {
    const now = performance.now();
    row.take(progress, now);
    const isLast = progress.done >= progress.total && progress.total !== 1;
    const pause = this.#isTerminal ? pauses.terminal : pauses.plain;
    if (!isLast && now - row.shownAt < pause) return;
    row.shownAt = now;
    if (!this.#isTerminal || isLast)
      this.print(row.text(now)!, (text) => this.#output.write(`${visibleLines(text)}\n`));
    if (isLast) row.end();
    if (this.#isTerminal) this.#draw(now);
  }

  /** Prints a line that stays. */
  print(text: string, to: (text: string) => unknown): void {
    if (this.#isDrawn) this.#output.write('\r\x1b[K');
    this.#isDrawn = false;
    to(text);
  }

  #draw(now: number): void {
    const line = this.#rows.flatMap((row) => row.text(now) ?? []).join('  |  ');
    const fitting = visible(line).slice(0, Math.max(20, (this.#output.columns ?? 80) - 1));
    this.#output.write(`\r\x1b[K${fitting}`);
    this.#isDrawn = line !== '';
  }
}

function lineOf({ task, done, total, loss }: Progress, seconds: number, examples: number): string {
  const left = done > 0 ? duration(Math.max(0, seconds * (total / done - 1))) : '?';
  if (total === 1) return `${task}: ${(100 * done).toFixed(0)} %  ETA ${left}`;
  // Work that is no training counts what it is about (texts, pictures), and has no examples.
  if (loss === undefined && examples === 0) return `${task}: ${done}/${total}  ETA ${left}`;
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
      return `kept epoch ${event.epoch}, dev MRR ${event.mrr.toFixed(2)}: ${event.file}`;
    default:
      return event satisfies never;
  }
}

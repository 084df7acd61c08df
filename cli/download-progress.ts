// How far a download is: one line that redraws itself on a terminal, plain lines now and then elsewhere.

import { visible } from '../files/errors.ts';
import { print } from './output.ts';

/** Milliseconds between two lines where the output is no terminal, and on one. */
const interval = { plain: 10_000, terminal: 200 };

export class DownloadProgress {
  #what = '';
  #total = 0;
  #start = 0;
  #startBytes = -1;
  #shown = 0;

  /** A download of `total` bytes begins. */
  begin(what: string, total: number): void {
    this.#what = what;
    this.#total = total;
    this.#start = this.#shown = performance.now();
    this.#startBytes = -1;
  }

  /** `done` bytes are there. */
  show(done: number): void {
    // What an earlier run left says nothing of today's speed.
    if (this.#startBytes < 0) this.#startBytes = done;
    const now = performance.now();
    const { isTTY } = process.stdout;
    if (now - this.#shown < (isTTY ? interval.terminal : interval.plain)) return;
    this.#shown = now;
    const rate = (done - this.#startBytes) / ((now - this.#start) / 1000);
    const left = rate > 0 ? `${Math.ceil((this.#total - done) / rate)} s left` : 'waiting';
    const mega = (bytes: number) => (bytes / 1e6).toFixed(1);
    const line = `${this.#what}: ${mega(done)} of ${mega(this.#total)} MB, ${mega(rate)} MB/s, ${left}`;
    if (isTTY) process.stdout.write(`\r\x1b[K${visible(line)}`);
    else print(line);
  }

  /** Clears the line. */
  stop(): void {
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  }
}

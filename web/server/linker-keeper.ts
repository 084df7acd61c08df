// A linker that is opened again when its device is lost. Work that the loss broke is done once more on the next one; what
// comes meanwhile is told to come again.

import { HTTPException } from 'hono/http-exception';
import { DeviceLostError } from '../../engine/errors.ts';
import type { Linker } from '../../link/linker.ts';

/** A linker on a device of its own. */
export interface OpenedLinker {
  linker: Linker;
  /** Resolves when the device is lost. */
  lost: Promise<unknown>;
  /** Closes the linker and its device. */
  close(): Promise<void>;
}

export interface KeeperEvents {
  onLost(): void;
  onOpened(milliseconds: number): void;
  /** Opening another, or closing the lost one, failed. */
  onFailure(error: unknown): void;
}

/** Milliseconds before opening is tried again: the first, and the longest. */
const pauses = { first: 250, longest: 30_000 };

export class LinkerKeeper {
  readonly #open: () => Promise<OpenedLinker>;
  readonly #events: KeeperEvents;
  /** Null while another is being opened. */
  #current: OpenedLinker | null = null;
  #opening: Promise<void> | null = null;
  #isClosed = false;

  /** Call `start` before anything else. */
  constructor(open: () => Promise<OpenedLinker>, events: KeeperEvents) {
    this.#open = open;
    this.#events = events;
  }

  /** Opens the first linker. Throws what opening it throws. */
  async start(): Promise<void> {
    this.#take(await this.#open());
  }

  /** The linker; null while there is none. */
  get linker(): Linker | null {
    return this.#current?.linker ?? null;
  }

  /**
   * Lets `work` use the linker; once more on the next one, where the device is lost meanwhile. Throws HTTPException 503 where
   * there is none, and the signal's reason where that comes first.
   */
  async use<T>(signal: AbortSignal, work: (linker: Linker) => Promise<T>): Promise<T> {
    const before = this.#current;
    if (!before) throw unavailable();
    try {
      return await unlessAborted(work(before.linker), signal);
    } catch (error) {
      if (!(error instanceof DeviceLostError)) throw error;
      this.#lose(before);
      await unlessAborted(this.#opening ?? Promise.resolve(), signal);
      if (!this.#current) throw unavailable();
      return await unlessAborted(work(this.#current.linker), signal);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#opening;
    await this.#current?.close();
    this.#current = null;
  }

  #take(opened: OpenedLinker): void {
    this.#current = opened;
    void opened.lost.then(() => this.#lose(opened));
  }

  #lose(opened: OpenedLinker): void {
    if (this.#current !== opened || this.#isClosed) return;
    this.#current = null;
    this.#events.onLost();
    this.#opening = this.#openAnother(opened).finally(() => {
      this.#opening = null;
    });
  }

  async #openAnother(lost: OpenedLinker): Promise<void> {
    const start = performance.now();
    // It has the journal of changes, which the next one needs.
    await lost.close().catch((error) => this.#events.onFailure(error));
    for (let pause = pauses.first; !this.#isClosed; pause = Math.min(2 * pause, pauses.longest)) {
      try {
        this.#take(await this.#open());
        this.#events.onOpened(performance.now() - start);
        return;
      } catch (error) {
        this.#events.onFailure(error);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }
}

/** What a promise gives. Rejects with the signal's reason where that comes first. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function unavailable(): HTTPException {
  const res = new Response(null, { status: 503, headers: { 'retry-after': '1' } });
  return new HTTPException(503, { res, message: 'the device was lost and another is being opened' });
}

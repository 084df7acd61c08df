// Calls of a linker that overlap: those that wait at the same time are answered together, as far as a batch goes.

/** Most mentions that are answered together: what the scoring pass takes as one tile. */
const mostMentions = 128;

/** How the mentions of a call are to be answered; only calls that agree are answered together. */
export interface CallOptions {
  top: number;
  candidates: number;
  explain?: boolean;
}

interface Call<Mention, Found> {
  mentions: readonly Mention[];
  options: CallOptions;
  found: Found[];
  /** Answered by itself, since it failed together with others. */
  isAlone: boolean;
  isSettled: boolean;
  /** Called when it is settled while it is being answered. */
  onSettled?: () => void;
  resolve(found: Found[]): void;
  reject(error: unknown): void;
}

/** Answers mentions; `signal` is aborted once nobody waits for them any more. */
type Answer<Mention, Found> = (
  mentions: readonly Mention[],
  options: CallOptions,
  signal: AbortSignal,
) => Promise<Found[]>;

export class LinkQueue<Mention, Found> {
  readonly #answer: Answer<Mention, Found>;
  readonly #gatherMs: number;
  #waiting: Call<Mention, Found>[] = [];
  #running: Promise<void> | null = null;
  /** Ends the time in which more calls are waited for; null where none are. */
  #enough: (() => void) | null = null;

  /**
   * `answer` is never called twice at a time, and with at most 128 mentions. Where nothing is being answered, a call waits
   * `gatherMs` for others, or until 128 mentions are there.
   */
  constructor(answer: Answer<Mention, Found>, gatherMs = 0) {
    this.#answer = answer;
    this.#gatherMs = gatherMs;
  }

  /** Answers a call after those before it. Rejects with the signal's reason where that comes first. */
  add(mentions: readonly Mention[], options: CallOptions, signal?: AbortSignal): Promise<Found[]> {
    signal?.throwIfAborted();
    if (mentions.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const call: Call<Mention, Found> = {
        mentions,
        options,
        found: [],
        isAlone: false,
        isSettled: false,
        resolve: (found) => settle(() => resolve(found)),
        reject: (error) => settle(() => reject(error)),
      };
      const onAbort = () => call.reject(signal!.reason);
      const settle = (how: () => void) => {
        if (call.isSettled) return;
        call.isSettled = true;
        signal?.removeEventListener('abort', onAbort);
        how();
        call.onSettled?.();
      };
      signal?.addEventListener('abort', onAbort);
      this.#waiting.push(call);
      if (this.#waitingMentions() >= mostMentions) this.#enough?.();
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // What is called in the same turn is answered together.
    await null;
    if (this.#gatherMs > 0 && this.#waitingMentions() < mostMentions) await this.#gather();
    for (;;) {
      this.#waiting = this.#waiting.filter(({ isSettled }) => !isSettled);
      if (this.#waiting.length === 0) break;
      await this.#answerNext();
    }
    this.#running = null;
  }

  #gather(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#enough?.(), this.#gatherMs);
      this.#enough = () => {
        clearTimeout(timer);
        this.#enough = null;
        resolve();
      };
    });
  }

  #waitingMentions(): number {
    return this.#waiting.reduce((sum, { mentions, isSettled }) => sum + (isSettled ? 0 : mentions.length), 0);
  }

  async #answerNext(): Promise<void> {
    const group = this.#nextGroup();
    const stop = new AbortController();
    for (const { call } of group) {
      call.onSettled = () => {
        if (group.every((each) => each.call.isSettled)) stop.abort();
      };
    }
    const mentions = group.flatMap(({ call: { mentions, found }, count }) =>
      mentions.slice(found.length, found.length + count),
    );
    let answers: Found[];
    try {
      answers = await this.#answer(mentions, group[0]!.call.options, stop.signal);
    } catch (error) {
      if (group.length === 1) group[0]!.call.reject(error);
      else for (const { call } of group) call.isAlone = true;
      return;
    }
    let at = 0;
    for (const { call, count } of group) {
      call.found.push(...answers.slice(at, at + count));
      at += count;
      if (call.found.length === call.mentions.length) call.resolve(call.found);
    }
  }

  /** The first call, and those after it that are answered with it, each with how many of its mentions. */
  #nextGroup(): { call: Call<Mention, Found>; count: number }[] {
    const first = this.#waiting[0]!;
    const group: { call: Call<Mention, Found>; count: number }[] = [];
    let room = mostMentions;
    for (const call of this.#waiting) {
      const { top, candidates, explain } = call.options;
      const agrees =
        top === first.options.top &&
        candidates === first.options.candidates &&
        explain === first.options.explain;
      if (call !== first && (first.isAlone || call.isAlone || !agrees)) continue;
      if (room === 0) break;
      const count = Math.min(room, call.mentions.length - call.found.length);
      group.push({ call, count });
      room -= count;
    }
    return group;
  }
}

// Calls of a linker that overlap: those that wait at the same time are answered together, as far as a batch goes.

/** Most mentions that are answered together: what the scoring pass takes as one tile. */
const mostMentions = 128;

/** How the mentions of a call are to be answered; only calls that agree are answered together. */
export interface CallOptions {
  top: number;
  candidates: number;
}

interface Call<Mention, Found> {
  mentions: readonly Mention[];
  options: CallOptions;
  found: Found[];
  /** Answered by itself, since it failed together with others. */
  isAlone: boolean;
  isSettled: boolean;
  resolve(found: Found[]): void;
  reject(error: unknown): void;
}

export class LinkQueue<Mention, Found> {
  readonly #answer: (mentions: readonly Mention[], options: CallOptions) => Promise<Found[]>;
  #waiting: Call<Mention, Found>[] = [];
  #running: Promise<void> | null = null;

  /** `answer` is never called twice at a time, and with at most 128 mentions. */
  constructor(answer: (mentions: readonly Mention[], options: CallOptions) => Promise<Found[]>) {
    this.#answer = answer;
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
      };
      signal?.addEventListener('abort', onAbort);
      this.#waiting.push(call);
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
    for (;;) {
      this.#waiting = this.#waiting.filter(({ isSettled }) => !isSettled);
      if (this.#waiting.length === 0) break;
      await this.#answerNext();
    }
    this.#running = null;
  }

  async #answerNext(): Promise<void> {
    const group = this.#nextGroup();
    const mentions = group.flatMap(({ call: { mentions, found }, count }) =>
      mentions.slice(found.length, found.length + count),
    );
    let answers: Found[];
    try {
      answers = await this.#answer(mentions, group[0]!.call.options);
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
      const { top, candidates } = call.options;
      const agrees = top === first.options.top && candidates === first.options.candidates;
      if (call !== first && (first.isAlone || call.isAlone || !agrees)) continue;
      if (room === 0) break;
      const count = Math.min(room, call.mentions.length - call.found.length);
      group.push({ call, count });
      room -= count;
    }
    return group;
  }
}

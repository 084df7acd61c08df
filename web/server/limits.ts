// What a server takes from its clients, and what it has in hand at most.

import { HTTPException } from 'hono/http-exception';

export interface Limits {
  /** Bytes of a request's body. */
  bodyBytes: number;
  /** Bytes of an image's file. */
  imageBytes: number;
  /** Pixels of all images of a request, by their headers. */
  pixels: number;
  /** Mentions that wait or are being answered, and as many requests. */
  queue: number;
  /** Milliseconds that a request may take. */
  deadlineMs: number;
}

export const defaultLimits: Limits = {
  bodyBytes: 16 * 2 ** 20,
  imageBytes: 8 * 2 ** 20,
  pixels: 16e6,
  queue: 1024,
  deadlineMs: 30_000,
};

/** Bodies and images of the largest size that may be in hand. */
const largest = { bodies: 16, images: 4 };

/** What requests in hand take. */
interface Load {
  requests: number;
  mentions: number;
  bytes: number;
  pixels: number;
}

/** What one request takes; given back once, when it is answered. */
export interface Ticket {
  /** Throws HTTPException 429 where there is no room for so much more. */
  take(more: Partial<Load>): void;
  giveBack(): void;
}

/** Lets requests in while there is room for what they take. */
export class Admission {
  readonly #most: Load;
  readonly #load: Load = { requests: 0, mentions: 0, bytes: 0, pixels: 0 };

  constructor({ queue, bodyBytes, pixels }: Limits) {
    this.#most = {
      requests: queue,
      mentions: queue,
      bytes: largest.bodies * bodyBytes,
      pixels: largest.images * pixels,
    };
  }

  get load(): Readonly<Load> {
    return this.#load;
  }

  /** Throws HTTPException 429 where there are too many requests. */
  enter(): Ticket {
    const own: Load = { requests: 0, mentions: 0, bytes: 0, pixels: 0 };
    const ticket: Ticket = {
      take: (more) => {
        const parts = Object.entries(more) as [keyof Load, number][];
        if (parts.some(([of, count]) => this.#load[of] + count > this.#most[of])) throw busy();
        for (const [of, count] of parts) {
          this.#load[of] += count;
          own[of] += count;
        }
      },
      giveBack: () => {
        for (const of of Object.keys(own) as (keyof Load)[]) {
          this.#load[of] -= own[of];
          own[of] = 0;
        }
      },
    };
    ticket.take({ requests: 1 });
    return ticket;
  }
}

function busy(): HTTPException {
  const res = new Response(null, { status: 429, headers: { 'retry-after': '1' } });
  return new HTTPException(429, { res, message: 'too much to do; try again in a second' });
}

// What a server counts, in the form that Prometheus reads.

import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Admission } from './limits.ts';
import type { LinkerKeeper } from './linker-keeper.ts';

/** Seconds: an answer takes some milliseconds alone, and up to the deadline in a crowd. */
const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class Metrics {
  readonly #registry = new Registry();
  readonly requests: Counter<'method' | 'route' | 'status'>;
  readonly seconds: Histogram<'method' | 'route'>;
  readonly mentions: Counter;
  readonly changes: Counter<'outcome'>;
  readonly deviceLosses: Counter;

  constructor(admission: Admission, keeper: LinkerKeeper) {
    const registers = [this.#registry];
    this.requests = new Counter({
      name: 'dsmip_http_requests_total',
      help: 'Requests that were answered.',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.seconds = new Histogram({
      name: 'dsmip_http_request_seconds',
      help: 'Seconds from the first byte of a request to its answer.',
      labelNames: ['method', 'route'],
      buckets: secondsBuckets,
      registers,
    });
    this.mentions = new Counter({
      name: 'dsmip_mentions_total',
      help: 'Mentions that were linked.',
      registers,
    });
    this.changes = new Counter({
      name: 'dsmip_entity_changes_total',
      help: 'Entities that were created, replaced or deleted.',
      labelNames: ['outcome'],
      registers,
    });
    this.deviceLosses = new Counter({
      name: 'dsmip_device_losses_total',
      help: 'Devices that were lost.',
      registers,
    });
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    gauge('dsmip_requests_in_hand', 'Requests that are not answered yet.', () => admission.load.requests);
    gauge('dsmip_mentions_in_hand', 'Mentions that are not linked yet.', () => admission.load.mentions);
    gauge('dsmip_entities', 'Entities of the knowledge base.', () => keeper.linker?.entityCount ?? 0);
    gauge('dsmip_ready', '1 where mentions can be linked.', () => (keeper.linker ? 1 : 0));
    gauge('dsmip_resident_bytes', 'Memory of the process.', () => process.memoryUsage().rss);
    gauge(
      'dsmip_heap_bytes',
      'Objects of JavaScript, garbage included.',
      () => process.memoryUsage().heapUsed,
    );
    gauge(
      'dsmip_buffer_bytes',
      'Memory outside the heap that its objects hold.',
      () => process.memoryUsage().external,
    );
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

#!/usr/bin/env node
// The command `dsmip`. What Node compiles of it is kept from one call to the next: a third of the time of a short one.

import * as nodeModule from 'node:module';

// Deno has a cache of its own, and not this function.
(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.();
const { main } = await import('./main.ts');
await main(process.argv.slice(2));

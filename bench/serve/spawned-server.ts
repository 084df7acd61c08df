// A server in a process of its own, for what measures it from outside.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface SpawnedServer {
  url: string;
  pid: number;
  /** Bytes of memory that the process has. */
  residentBytes(): number;
  /** Seconds of all processors that it has taken: what a machine with other work still tells. */
  processorSeconds(): number;
  /** The end of what it has said on standard error. */
  complaint(): string;
  /** Lets it end; gives its exit code. */
  stop(): Promise<number | null>;
}

/** Starts `dsmip serve` with these flags. Throws where it ends before it listens. */
export async function spawnServer(flags: readonly string[]): Promise<SpawnedServer> {
  const command = fileURLToPath(new URL('../../cli/dsmip.ts', import.meta.url));
  const child = spawn(process.execPath, [command, 'serve', '--port', '0', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const url = /^dsmip is at (\S+)$/.exec(value ?? '')?.[1];
  if (!url) throw new Error(`dsmip serve: ${complaint}`);
  return {
    url,
    pid: child.pid!,
    residentBytes() {
      const pages = readFileSync(`/proc/${child.pid}/statm`, 'utf8').split(' ')[1];
      return 4096 * Number(pages);
    },
    processorSeconds() {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
      // In hundredths, behind the name in brackets, in which anything may stand.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    complaint: () => complaint,
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

// How far a long pass is: a line that redraws itself on a terminal, elsewhere a line every ten seconds.

/** Gives a function to call with the part that is done, from 0 to 1. Short work shows nothing. */
export function partProgress(what: string): (part: number) => void {
  const start = performance.now();
  let shown = start;
  return (part) => {
    const now = performance.now();
    if (now - shown < (process.stdout.isTTY ? 500 : 10_000)) return;
    shown = now;
    const left = ((now - start) / 1000) * (1 / part - 1);
    const line = `${what}: ${(100 * part).toFixed(0)} %  ETA ${left.toFixed(0)} s`;
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}${part >= 1 ? '\n' : ''}`);
    else console.log(line);
  };
}

// Whether a process of this machine still runs, and when it began: what tells a lock or a temporary file of a process
// that was killed from one that is in use.

/** Whether a process of this number runs; one that has ended and waits for its parent does not. */
export async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Another user's process may not be signalled, but it is there.
    if ((error as { code?: string }).code !== 'EPERM') return false;
  }
  return (await processStat(pid))?.state !== 'Z';
}

/**
 * When the process began, in a form that no later process of the same number has: the kernel's clock ticks and the
 * machine's boot on Linux, '0' where the system does not say it in a file (then only the number is known).
 */
export async function startOf(pid: number): Promise<string> {
  const stat = await processStat(pid);
  if (stat === null) return '0';
  const { readFile } = await import('node:fs/promises');
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '');
  return `${stat.start}${boot.replaceAll(/[^0-9a-f]/g, '').slice(0, 8)}`;
}

/** State and start from Linux's /proc; null elsewhere and where there is no such process. */
async function processStat(pid: number): Promise<{ state: string; start: string } | null> {
  const { readFile } = await import('node:fs/promises');
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null);
  if (stat === null) return null;
  // The second field is the program's name in brackets, which may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0]!, start: fields[19]! };
}

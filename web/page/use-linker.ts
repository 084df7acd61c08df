// The worker as a hook: what it is doing, and what it found for the mention that is asked.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Linked } from '../../link/linker.ts';
import { askServer } from './ask-server.ts';
import type { FromWorker, PageMention, ToWorker } from './link-protocol.ts';
import type { Site } from './site.ts';

export type LinkerState =
  | { kind: 'loading'; part: number }
  | { kind: 'open' }
  /** The browser has no WebGPU, and the server that the page came from links. */
  | { kind: 'server' }
  | { kind: 'unusable'; problem: string; needsWebGpu: boolean };

export interface Answer {
  /** The mention that was asked. */
  mention: PageMention;
  found: Linked[];
  /** Null for results that were stored. */
  milliseconds: number | null;
}

/** Milliseconds without a key before a mention is asked for. */
const pauseMs = 150;

export interface UsedLinker {
  state: LinkerState;
  answer: Answer | null;
  /** What was wrong with the last mention; null for nothing. */
  problem: string | null;
  /** Shows an answer that is known already. */
  show(answer: Answer): void;
}

/**
 * Starts the worker, and asks it for `mention` whenever that changes; null for nothing to ask. `canAsk`: where the browser
 * has no WebGPU, the page's server is asked instead.
 */
export function useLinker(site: Site, canAsk: boolean, mention: PageMention | null, top: number): UsedLinker {
  const [state, setState] = useState<LinkerState>({ kind: 'loading', part: 0 });
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const worker = useRef<Worker | null>(null);
  const asked = useRef<{ id: number; mention: PageMention | null }>({ id: 0, mention: null });

  const take = useCallback((data: Extract<FromWorker, { id: number }>) => {
    if (data.id !== asked.current.id) return;
    setProblem(data.kind === 'failed' ? data.problem : null);
    if (data.kind === 'found') setAnswer({ ...data, mention: asked.current.mention! });
  }, []);

  useEffect(() => {
    const folder = new URL('./', location.href).href;
    const own = new Worker(new URL('link-worker.js', folder), { type: 'module' });
    worker.current = own;
    own.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === 'loading') setState({ kind: 'loading', part: data.bytes / data.ofBytes });
      else if (data.kind === 'unusable' && data.needsWebGpu && canAsk) setState({ kind: 'server' });
      else if (data.kind === 'open' || data.kind === 'unusable') setState(data);
      else take(data);
    };
    own.onerror = ({ message }) => setState({ kind: 'unusable', problem: message, needsWebGpu: false });
    say(own, { site, folder });
    return () => own.terminate();
  }, [site, canAsk, take]);

  const byServer = state.kind === 'server';
  useEffect(() => {
    asked.current = { id: asked.current.id + 1, mention };
    setProblem(null);
    if (!mention) return;
    const { id } = asked.current;
    const ask = async () => {
      if (!byServer) return say(worker.current!, { id, mention, top });
      const start = performance.now();
      await askServer(mention, top).then(
        (found) => take({ kind: 'found', id, found, milliseconds: performance.now() - start }),
        (error: Error) => take({ kind: 'failed', id, problem: error.message }),
      );
    };
    // The first one is not being typed.
    const timer = setTimeout(ask, id <= 2 ? 0 : pauseMs);
    return () => clearTimeout(timer);
  }, [mention, top, byServer, take]);

  return { state, answer, problem, show: setAnswer };
}

function say(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}

// The worker as a hook: what it is doing, and what it found for the question that is asked.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Linked } from '../../link/linker.ts';
import { askServer } from './ask-server.ts';
import type { FromWorker, Question, ToWorker } from './link-protocol.ts';
import type { Site } from './site.ts';

export type LinkerState =
  | { kind: 'loading'; part: number }
  | { kind: 'open' }
  /** The browser has no WebGPU, and the server that the page came from links. */
  | { kind: 'server' }
  | { kind: 'unusable'; problem: string; needsWebGpu: boolean };

export interface Answer {
  /** What was asked. */
  question: Question;
  found: Linked[];
  /** Null for results that were stored. */
  milliseconds: number | null;
}

/** Milliseconds without a key before anything is asked. */
const pauseMs = 150;

export interface UsedLinker {
  state: LinkerState;
  answer: Answer | null;
  /** Null before it was started. */
  worker: Worker | null;
  /** What was wrong with the last question; null for nothing. */
  problem: string | null;
  /** Shows an answer that is known already. */
  show(answer: Answer): void;
}

/**
 * Starts the worker, and asks it `question` whenever that changes; null for nothing to ask. `canAsk`: where the browser
 * has no WebGPU, the page's server is asked instead.
 */
export function useLinker(site: Site, canAsk: boolean, question: Question | null): UsedLinker {
  const [state, setState] = useState<LinkerState>({ kind: 'loading', part: 0 });
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [worker, setWorker] = useState<Worker | null>(null);
  const asked = useRef<{ id: number; question: Question | null }>({ id: 0, question: null });

  const take = useCallback((data: Extract<FromWorker, { id: number }>) => {
    if (data.id !== asked.current.id) return;
    setProblem(data.kind === 'failed' ? data.problem : null);
    if (data.kind === 'found') setAnswer({ ...data, question: asked.current.question! });
  }, []);

  useEffect(() => {
    const folder = new URL('./', location.href).href;
    const own = new Worker(new URL('link-worker.js', folder), { type: 'module' });
    setWorker(own);
    own.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === 'loading') setState({ kind: 'loading', part: data.bytes / data.ofBytes });
      else if (data.kind === 'unusable' && data.needsWebGpu && canAsk) setState({ kind: 'server' });
      else if (data.kind === 'open' || data.kind === 'unusable') setState(data);
      else if (data.kind === 'found' || data.kind === 'failed') take(data);
    };
    own.onerror = ({ message }) => setState({ kind: 'unusable', problem: message, needsWebGpu: false });
    say(own, { site, folder });
    return () => own.terminate();
  }, [site, canAsk, take]);

  const byServer = state.kind === 'server';
  useEffect(() => {
    asked.current = { id: asked.current.id + 1, question };
    setProblem(null);
    if (!question || !worker) return;
    const { id } = asked.current;
    const ask = async () => {
      if (!byServer) return say(worker, { id, ...question });
      const start = performance.now();
      await askServer(question.mention, question.top).then(
        (found) => take({ kind: 'found', id, found, milliseconds: performance.now() - start }),
        (error: Error) => take({ kind: 'failed', id, problem: error.message }),
      );
    };
    // The first one is not being typed.
    const timer = setTimeout(ask, id <= 3 ? 0 : pauseMs);
    return () => clearTimeout(timer);
  }, [question, worker, byServer, take]);

  return { state, answer, worker, problem, show: setAnswer };
}

export function say(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}

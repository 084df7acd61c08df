// The visitor's knowledge bases as a hook: which there are, and what the worker is doing with one.

import { useCallback, useEffect, useState } from 'preact/hooks';
import type { FromWorker, OwnRequest } from '../link-protocol.ts';
import { say } from '../use-linker.ts';
import type { OwnBase } from './own-index.ts';

export interface OwnBases {
  bases: readonly OwnBase[];
  /** How much of one is encoded; null where none is being. */
  encoding: { done: number; total: number } | null;
  /** What came of the last request, in lines; the first says it all. */
  news: readonly string[];
  isProblem: boolean;
  request(request: OwnRequest): void;
}

/** `onEncoded` is told the name of one that is ready. */
export function useOwnBases(worker: Worker | null, onEncoded: (name: string) => void): OwnBases {
  const [bases, setBases] = useState<readonly OwnBase[]>([]);
  const [encoding, setEncoding] = useState<OwnBases['encoding']>(null);
  const [news, setNews] = useState<{ lines: readonly string[]; isProblem: boolean }>({
    lines: [],
    isProblem: false,
  });

  useEffect(() => {
    const onMessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === 'kept') setBases(data.bases);
      else if (data.kind === 'encoding') setEncoding(data);
      else if (data.kind === 'encoded') {
        setEncoding(null);
        setNews({ lines: [`${data.name} is ready.`, ...data.problems], isProblem: false });
        onEncoded(data.name);
      } else if (data.kind === 'exported') {
        download(data.zip, `${data.name}.zip`);
        setNews({ lines: [`${data.name}.zip is downloaded.`], isProblem: false });
      } else if (data.kind === 'not done') {
        setEncoding(null);
        setNews({ lines: [data.problem ?? 'Stopped.'], isProblem: data.problem !== null });
      }
    };
    worker?.addEventListener('message', onMessage);
    return () => worker?.removeEventListener('message', onMessage);
  }, [worker, onEncoded]);

  const request = useCallback(
    (request: OwnRequest) => {
      if (!worker) return;
      if ('encode' in request) {
        setEncoding({ done: 0, total: 0 });
        setNews({ lines: [], isProblem: false });
        // Without it the browser may clear the storage when the disk is full.
        void navigator.storage?.persist?.();
      }
      say(worker, request);
    },
    [worker],
  );
  return { bases, encoding, news: news.lines, isProblem: news.isProblem, request };
}

function download(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// The whole page: what is asked, what is found, and the gallery.

import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { type Asked, addressOf, mostTop, readAddress, usualTop } from './address.ts';
import { Gallery } from './gallery.tsx';
import { OwnSection } from './own/own-section.tsx';
import { useOwnBases } from './own/use-own-bases.ts';
import { PictureField } from './picture-field.tsx';
import { Results } from './results/results.tsx';
import { SentenceField } from './sentence-field.tsx';
import { type Example, type Site, storedEntities } from './site.ts';
import { type LinkerState, useLinker } from './use-linker.ts';

const nothing: Asked = { sentence: '', range: null, top: usualTop, base: null };

export function App({ site, canAsk }: { site: Site; canAsk: boolean }) {
  const first = useMemo(() => readAddress(location.hash) ?? fromExample(site.examples[0]), [site]);
  const [asked, setAsked] = useState<Asked>(first);
  const [picture, setPicture] = useState<Blob | null>(null);
  const [shown, setShown] = useState<Example | null>(null);
  const { sentence, range, top, base } = asked;
  const word = range && sentence.slice(...range);
  const question = useMemo(
    () => (word ? { mention: { word, sentence, image: picture }, top, base } : null),
    [word, sentence, picture, top, base],
  );
  const { state, answer, worker, problem, show } = useLinker(site, canAsk, question);

  useEffect(() => {
    const onHash = () => {
      const now = readAddress(location.hash);
      if (now) setAsked(now);
    };
    addEventListener('hashchange', onHash);
    return () => removeEventListener('hashchange', onHash);
  }, []);
  useEffect(() => {
    if (asked !== first) history.replaceState(null, '', addressOf(asked));
  }, [asked, first]);

  const ask = useCallback((change: Partial<Asked>) => {
    setShown(null);
    setAsked((before) => ({ ...before, ...change }));
  }, []);
  const onBase = useCallback((base: string | null) => ask({ base }), [ask]);
  const own = useOwnBases(worker, onBase);
  const pictures = own.bases.find(({ name }) => name === answer?.question.base)?.pictures ?? site.pictures;
  const pick = useCallback(
    async (example: Example) => {
      const image = example.image ? await (await fetch(example.image)).blob() : null;
      const { word, sentence, found } = example;
      setAsked((before) => ({ ...before, ...fromExample(example), top: before.top }));
      setPicture(image);
      setShown(example);
      show({
        question: { mention: { word, sentence, image }, top: storedEntities, base: null },
        found,
        milliseconds: null,
      });
    },
    [show],
  );

  // Something to see while the model loads; a link asks for something else.
  useEffect(() => {
    const [example] = site.examples;
    if (example && !readAddress(location.hash)) void pick(example);
  }, [site, pick]);

  return (
    <>
      <header>
        <h1>Which one is meant?</h1>
        <p>
          Write a sentence, choose a word in it, add a picture if you like. The page finds which{' '}
          {base === null || state.kind === 'server'
            ? `of ${site.entities.toLocaleString('en')} entities of ${site.name}`
            : `entity of ${base}`}{' '}
          the word means.{' '}
          {state.kind !== 'server' && 'It computes on this machine; nothing that you write leaves it.'}
        </p>
        <Status state={state} />
      </header>
      <main>
        <section class="ask" aria-labelledby="ask-title">
          <h2 id="ask-title">The mention</h2>
          <SentenceField sentence={sentence} range={range} onChange={ask} />
          <PictureField
            picture={picture}
            onChange={(image) => {
              setShown(null);
              setPicture(image);
            }}
          />
          <label class="slider">
            Entities to show: <output>{top}</output>
            <input
              type="range"
              min={1}
              max={mostTop}
              value={top}
              onInput={({ currentTarget }) => ask({ top: Number(currentTarget.value) })}
            />
          </label>
        </section>
        <Results
          pictures={pictures}
          answer={answer}
          example={shown}
          problem={problem}
          word={word}
          isWaiting={
            state.kind !== 'unusable' &&
            problem === null &&
            question !== null &&
            answer?.question !== question
          }
        />
        {state.kind === 'open' && <OwnSection site={site} own={own} base={base} onBase={onBase} />}
        <Gallery site={site} shown={shown} onPick={(example) => void pick(example).then(showResults)} />
      </main>
    </>
  );
}

/** Leads the keyboard and the eye to what was found. */
function showResults(): void {
  const results = document.getElementById('results');
  results?.focus({ preventScroll: true });
  // On a phone they are far above; on a desktop they may be in sight.
  if (results && results.getBoundingClientRect().top < 0) results.scrollIntoView();
}

function fromExample(example: Example | undefined): Asked {
  if (!example) return nothing;
  const { word, sentence } = example;
  return readAddress(new URLSearchParams({ word, sentence }).toString()) ?? nothing;
}

function Status({ state }: { state: LinkerState }) {
  if (state.kind === 'open') {
    return (
      <p class="status" role="status">
        Ready.
      </p>
    );
  }
  if (state.kind === 'server') {
    return (
      <p class="status" role="status">
        Ready. This browser has no WebGPU: what you write and the picture are sent to the server of this page,
        which links them.
      </p>
    );
  }
  if (state.kind === 'loading') {
    return (
      <p class="status" role="status">
        <label>
          Loading the model <progress value={state.part} max={1} />
        </label>
      </p>
    );
  }
  return (
    <p class="status warning" role="status">
      {state.needsWebGpu
        ? 'This browser has no WebGPU, which the page computes with. Chrome and Edge 113, Safari 26 and Firefox 141 or newer ' +
          'have it; in Chrome on Linux it may have to be turned on at chrome://flags/#enable-unsafe-webgpu. '
        : `Nothing can be linked here: ${state.problem}. `}
      The examples below show stored results, the first {storedEntities} entities of each.
    </p>
  );
}

// `Your own knowledge base`: a file of entities and pictures of them, chosen or dropped, encoded in the worker and kept in the
// browser; which one is linked against, and how one leaves the browser again.

import { useState } from 'preact/hooks';
import type { Site } from '../site.ts';
import { droppedFiles, linesAmong, nameOf, pickedFiles, picturesAmong } from './chosen-files.ts';
import type { OwnBase } from './own-index.ts';
import type { OwnBases } from './use-own-bases.ts';

export interface OwnSectionProps {
  site: Site;
  own: OwnBases;
  /** Which is linked against; null for the site's. */
  base: string | null;
  onBase(base: string | null): void;
}

type Files = ReturnType<typeof pickedFiles>;

const example =
  '{"id": "river", "name": "Amazon", "description": "river in Brazil", "images": ["river.jpg"]}';

export function OwnSection({ site, own, base, onBase }: OwnSectionProps) {
  const [lines, setLines] = useState<File | null>(null);
  const [pictures, setPictures] = useState<Files>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const { bases, encoding, news, isProblem, request } = own;

  const take = (files: Files) => {
    const found = linesAmong(files);
    const others = files.filter(({ file }) => file !== found);
    setProblem(null);
    if (found) setLines(found);
    if (others.length > 0 || !found) setPictures(others);
  };
  const encode = () => {
    try {
      if (!lines) throw new Error('Choose the file of entities first.');
      setProblem(null);
      request({ encode: { name: nameOf(lines.name), lines, pictures: picturesAmong(pictures) } });
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <section
      class="own"
      aria-labelledby="own-title"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        if (event.dataTransfer)
          droppedFiles(event.dataTransfer).then(take, (error) => setProblem(`${error}`));
      }}
    >
      <h2 id="own-title">Your own knowledge base</h2>
      <p>
        A file of one entity a line, in JSON, and a folder of pictures if there are any. It is encoded here,
        in the browser, and kept by it; nothing is sent anywhere. Choose both, or drop them on this part of
        the page.
      </p>
      <pre class="example">
        <code>{example}</code>
      </pre>
      <div class="chooser">
        <p>
          <label for="own-lines">Entities (JSON lines)</label>
          <input
            id="own-lines"
            type="file"
            accept=".jsonl,.ndjson,.json"
            onChange={({ currentTarget }) => take(pickedFiles(currentTarget.files))}
          />
        </p>
        <p>
          <label for="own-pictures">Folder of pictures</label>
          <input
            id="own-pictures"
            type="file"
            multiple
            // @ts-expect-error Preact's types lack the attribute, which all browsers of desktops have.
            webkitdirectory
            onChange={({ currentTarget }: { currentTarget: HTMLInputElement }) =>
              setPictures(pickedFiles(currentTarget.files))
            }
          />
        </p>
      </div>
      {(lines || pictures.length > 0) && (
        <p class="chosen-files">
          {lines ? lines.name : 'no file of entities'}
          {pictures.length > 0 && `, ${pictures.length} files of pictures`}
        </p>
      )}
      <p>
        <button type="button" onClick={encode} disabled={encoding !== null}>
          Encode
        </button>{' '}
        {encoding && (
          <>
            <label>
              Encoding {encoding.total > 0 && `${encoding.done} of ${encoding.total} entities `}
              <progress {...(encoding.total > 0 && { value: encoding.done, max: encoding.total })} />
            </label>{' '}
            <button type="button" onClick={() => request({ stop: true })}>
              Stop
            </button>
          </>
        )}
      </p>
      <div role={problem || isProblem ? 'alert' : 'status'}>
        {(problem ? [problem] : news).map((line) => (
          <p key={line}>{line}</p>
        ))}
      </div>
      {(bases.length > 0 || base !== null) && (
        <fieldset class="bases">
          <legend>Link against</legend>
          <ul>
            <li>
              <Choice
                name={`${site.name}, ${count(site.entities)}`}
                isChosen={base === null}
                onChoose={() => onBase(null)}
              />
            </li>
            {bases.map((each) => (
              <Kept
                key={each.name}
                base={each}
                isChosen={each.name === base}
                onChoose={() => onBase(each.name)}
                onExport={() => request({ export: each.name })}
                onRemove={() => {
                  if (each.name === base) onBase(null);
                  request({ remove: each.name });
                }}
              />
            ))}
          </ul>
        </fieldset>
      )}
    </section>
  );
}

interface KeptProps {
  base: OwnBase;
  isChosen: boolean;
  onChoose(): void;
  onExport(): void;
  onRemove(): void;
}

function Kept({ base, isChosen, onChoose, onExport, onRemove }: KeptProps) {
  const { name, entities, bytes, fits } = base;
  return (
    <li>
      {fits ? (
        <Choice name={`${name}, ${count(entities)}`} isChosen={isChosen} onChoose={onChoose} />
      ) : (
        <span>
          {`${name}: ${entities === 0 ? 'not encoded to its end' : 'encoded by another model than the page has now'}; encode its file again`}
        </span>
      )}
      <span class="actions">
        {fits && (
          <button type="button" onClick={onExport} aria-label={`Export ${name}`}>
            Export ({(bytes / 1e6).toFixed(1)} MB)
          </button>
        )}
        <button type="button" onClick={onRemove} aria-label={`Remove ${name}`}>
          Remove
        </button>
      </span>
      {isChosen && (
        <p class="hint">
          The exported zip, unpacked, is an index: <code>dsmip link --kb {name} --word … --sentence …</code>{' '}
          links against it (with <code>--run</code> and <code>--clip</code> where they are not the usual
          ones).
        </p>
      )}
    </li>
  );
}

function Choice({ name, isChosen, onChoose }: { name: string; isChosen: boolean; onChoose(): void }) {
  return (
    <label>
      <input type="radio" name="base" checked={isChosen} onChange={onChoose} /> {name}
    </label>
  );
}

function count(entities: number): string {
  return `${entities.toLocaleString('en')} ${entities === 1 ? 'entity' : 'entities'}`;
}

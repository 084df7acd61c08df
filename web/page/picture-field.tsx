// The picture of a mention: chosen, photographed, pasted, or dropped anywhere on the page.

import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { readPicture } from './use-picture.ts';

export interface PictureProps {
  picture: Blob | null;
  onChange(picture: Blob | null): void;
}

export function PictureField({ picture, onChange }: PictureProps) {
  const [problem, setProblem] = useState<string | null>(null);
  const address = useMemo(() => picture && URL.createObjectURL(picture), [picture]);
  useEffect(() => () => void (address && URL.revokeObjectURL(address)), [address]);

  const take = useCallback(
    async (files: FileList | null | undefined) => {
      const [file] = files ?? [];
      if (!file) return;
      try {
        setProblem(null);
        onChange(await readPicture(file));
      } catch (error) {
        setProblem((error as Error).message);
      }
    },
    [onChange],
  );
  /** The same file can be chosen again. */
  const onFile = ({ currentTarget }: { currentTarget: HTMLInputElement }) =>
    void take(currentTarget.files).then(() => {
      currentTarget.value = '';
    });

  useEffect(() => {
    const onPaste = (event: ClipboardEvent) => {
      if (!event.clipboardData?.files.length) return;
      event.preventDefault();
      void take(event.clipboardData.files);
    };
    const onDrop = (event: DragEvent) => {
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      void take(event.dataTransfer.files);
    };
    // Only what is a file is taken; text that is dropped goes where it always goes.
    const onDragOver = (event: DragEvent) => {
      if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
    };
    document.addEventListener('paste', onPaste);
    document.addEventListener('drop', onDrop);
    document.addEventListener('dragover', onDragOver);
    return () => {
      document.removeEventListener('paste', onPaste);
      document.removeEventListener('drop', onDrop);
      document.removeEventListener('dragover', onDragOver);
    };
  }, [take]);

  return (
    <div class="picture">
      <label for="picture">Picture, if there is one: choose, paste or drop it</label>
      <input id="picture" type="file" accept="image/*" onChange={onFile} />
      <div class="camera">
        <label for="photograph">Or photograph it</label>
        <input id="photograph" type="file" accept="image/*" capture="environment" onChange={onFile} />
      </div>
      {problem && <p role="alert">{problem}</p>}
      {address && (
        <p class="chosen">
          <img src={address} alt="The mention's" width={96} height={96} />
          <button type="button" onClick={() => onChange(null)}>
            Remove the picture
          </button>
        </p>
      )}
    </div>
  );
}

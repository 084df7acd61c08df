// The sentence and the word in it: selected in the text by mouse or keyboard, or chosen from the list of its words.

import { useMemo } from 'preact/hooks';
import { type Asked, findWord, type Range, trimmedRange, wordsOf } from './address.ts';

export interface SentenceProps {
  sentence: string;
  range: Range | null;
  onChange(change: Partial<Asked>): void;
}

export function SentenceField({ sentence, range, onChange }: SentenceProps) {
  const words = useMemo(() => wordsOf(sentence), [sentence]);
  const isWord = range && words.some(([start, end]) => start === range[0] && end === range[1]);
  return (
    <>
      <label for="sentence">Sentence</label>
      <textarea
        id="sentence"
        rows={3}
        value={sentence}
        aria-describedby="sentence-help"
        onInput={({ currentTarget: { value } }) => {
          const word = range ? sentence.slice(...range) : '';
          onChange({ sentence: value, range: findWord(value, word, range?.[0]) });
        }}
        onSelect={({ currentTarget }) => {
          // It comes once more when the text is left for the list of words.
          if (document.activeElement !== currentTarget) return;
          const { selectionStart, selectionEnd } = currentTarget;
          const chosen = trimmedRange(sentence, selectionStart, selectionEnd);
          if (chosen) onChange({ range: chosen });
        }}
      />
      <p id="sentence-help" class="hint">
        Select the word in the text, or choose it here.
      </p>
      <fieldset class="words">
        <legend>Word to link</legend>
        {range && !isWord && (
          <Choice range={range} sentence={sentence} isChosen onChoose={() => onChange({ range })} />
        )}
        {words.map((own) => (
          <Choice
            key={own[0]}
            range={own}
            sentence={sentence}
            isChosen={range !== null && own[0] === range[0] && own[1] === range[1]}
            onChoose={() => onChange({ range: own })}
          />
        ))}
      </fieldset>
    </>
  );
}

interface ChoiceProps {
  range: Range;
  sentence: string;
  isChosen: boolean;
  onChoose(): void;
}

function Choice({ range, sentence, isChosen, onChoose }: ChoiceProps) {
  return (
    <label>
      <input type="radio" name="word" checked={isChosen} onChange={onChoose} />
      <span>{sentence.slice(...range)}</span>
    </label>
  );
}

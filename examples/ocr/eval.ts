import { distance } from 'fastest-levenshtein';
import type { EvalFunction, Runner, SampleResult } from 'whittle-nn/data';
import { type LineLabel, lineLabels, linePath, readLine } from './lines.js';

/** Spaces do not count, as in PaddleOCR's own metric: the model was hardly trained on them. */
const withoutSpaces = (text: string): string => text.replaceAll(' ', '');

/**
 * Scores a text recognition model on labelled lines: `exact` (lines read without a mistake), `cer` (edits needed,
 * over the number of characters), `same` (lines read as the original model reads them, right or wrong).
 */
export function scoreLines(labels: readonly LineLabel[]): EvalFunction {
  // The original reads each line once, however many models are compared with it.
  const originals = new WeakMap<Runner, Map<LineLabel, string>>();
  return async (runner, { reference, onProgress, signal }) => {
    const read = originals.get(reference) ?? new Map<LineLabel, string>();
    originals.set(reference, read);
    const samples: SampleResult[] = [];
    let [exact, same, edits, characters] = [0, 0, 0, 0];
    for (const label of labels) {
      signal?.throwIfAborted();
      if (!read.has(label)) read.set(label, await readLine(reference, label));
      const text = runner === reference ? read.get(label)! : await readLine(runner, label);
      const expected = withoutSpaces(label.text);
      const wrong = distance(withoutSpaces(text), expected);
      edits += wrong;
      characters += expected.length;
      if (wrong === 0) exact++;
      if (text === read.get(label)) same++;
      samples.push({
        id: label.file,
        score: 1 - wrong / expected.length,
        text,
        expected: label.text,
        image: linePath(label),
      });
      onProgress?.(samples.length, labels.length);
    }
    const percent = (count: number, total: number) =>
      ({ value: (100 * count) / total, format: 'percent' }) as const;
    return {
      scores: {
        exact: { ...percent(exact, labels.length), description: 'lines read without a mistake' },
        cer: { ...percent(edits, characters), betterIs: 'lower', description: 'character error rate' },
        same: { ...percent(same, labels.length), description: 'lines read as by the original' },
      },
      samples,
    };
  };
}

export default scoreLines(lineLabels('test'));

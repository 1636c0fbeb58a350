import type { EvalFunction, Runner, SampleResult } from 'whittle-nn/data';
import { countMatches, type Mask, overlap, textBoxes } from './boxes.js';
import { findText, type PageLabel, pageLabels, pagePath } from './pages.js';

/** The original model's masks: they are computed once, however many models are compared with it. */
const originals = new WeakMap<Runner, Map<PageLabel, Mask>>();
const labels = pageLabels('test');

/**
 * Scores a text detection model on the 16 test pages: `iou` (the text mask against the original model's, over
 * all pixels), `hmean` (harmonic mean of precision and recall of the line boxes against those drawn, at IoU 0.5).
 */
const evaluate: EvalFunction = async (runner, { reference, onProgress, signal }) => {
  const masks = originals.get(reference) ?? new Map<PageLabel, Mask>();
  originals.set(reference, masks);
  const samples: SampleResult[] = [];
  const sum = { intersection: 0, union: 0, matched: 0, found: 0, drawn: 0 };
  for (const label of labels) {
    signal?.throwIfAborted();
    if (!masks.has(label)) masks.set(label, await findText(reference, label));
    const original = masks.get(label)!;
    const mask = runner === reference ? original : await findText(runner, label);
    const { intersection, union } = overlap(mask, original);
    const boxes = textBoxes(mask);
    const matched = countMatches(boxes, label.boxes);
    sum.intersection += intersection;
    sum.union += union;
    sum.matched += matched;
    sum.found += boxes.length;
    sum.drawn += label.boxes.length;
    samples.push({
      id: label.file,
      score: union === 0 ? 1 : intersection / union,
      text: `${matched} of ${label.boxes.length} lines found, ${boxes.length - matched} false`,
      expected: `${label.boxes.length} lines`,
      image: pagePath(label),
    });
    onProgress?.(samples.length, labels.length);
  }
  return {
    scores: {
      iou: {
        value: sum.union === 0 ? 100 : (100 * sum.intersection) / sum.union,
        format: 'percent',
        description: 'text mask against that of the original',
      },
      hmean: {
        value: (200 * sum.matched) / (sum.found + sum.drawn),
        format: 'percent',
        description: 'line boxes against those drawn',
      },
    },
    samples,
  };
};

export default evaluate;

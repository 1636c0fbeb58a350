/**
 * Calibration inputs of this example, for `--calibration examples/ocr/calibration.ts`: the 64 text lines for a
 * recognition model, whose height is fixed at 48, else the 16 pages for the detection model.
 */
import { type InputSource, indexedSource, type Signature } from 'whittle-nn/data';
import { lineLabels, lineSample } from './lines.js';
import { pageLabels, pageSample } from './pages.js';

export default function inputs(signature: Signature): InputSource {
  const recognition = signature[0]?.shape?.[2] === 48;
  if (recognition) {
    const labels = lineLabels('calibration');
    const about = { description: `${labels.length} rendered text lines` };
    return indexedSource(about, labels.length, index => lineSample(labels[index]!));
  }
  const labels = pageLabels('calibration');
  const about = { description: `${labels.length} rendered pages` };
  return indexedSource(about, labels.length, index => pageSample(labels[index]!));
}

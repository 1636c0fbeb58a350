import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ImageSpec, Sample } from 'whittle-nn/data';
import { type Runner, readImage } from 'whittle-nn/data/node';
import type { Tensor } from 'whittle-nn/graph';
import { alphabetFile } from './models.js';

export interface LineLabel {
  /** PNG of one text line, in `fixtures/lines/`. */
  file: string;
  text: string;
  split: 'calibration' | 'test';
}

const folder = new URL('./fixtures/lines/', import.meta.url);

/** The labelled lines of one split. */
export function lineLabels(split: LineLabel['split']): LineLabel[] {
  const labels = JSON.parse(readFileSync(new URL('labels.json', folder), 'utf8')) as LineLabel[];
  return labels.filter(label => label.split === split);
}

export const linePath = (label: LineLabel): string => fileURLToPath(new URL(label.file, folder));

/** How PP-OCR's recognition models want a line: BGR in -1 … 1, 48 pixels high, as wide as it comes. */
const SPEC: ImageSpec = {
  input: 'x',
  dtype: 'float32',
  layout: 'nchw',
  channels: 'bgr',
  height: 48,
  width: undefined,
  fit: 'pad',
  multipleOf: 32,
  maxSide: Number.POSITIVE_INFINITY,
  scale: 1 / 255,
  mean: [0.5],
  std: [0.5],
};

/** The feeds for one line: float32 of shape [1, 3, 48, width]. */
export const lineSample = async (label: LineLabel): Promise<Sample> => ({
  [SPEC.input]: await readImage(linePath(label), SPEC),
});

/** The signs that the model knows, by class: class 0 is CTC's blank, the last is a space. */
function readAlphabet(): string[] {
  const keys = readFileSync(alphabetFile, 'utf8');
  return [
    '',
    ...keys
      .replace(/\n$/, '')
      .split('\n')
      .map(key => key.replace(/\r$/, '')),
    ' ',
  ];
}

let known: readonly string[] | undefined;
const alphabet = (): readonly string[] => {
  known ??= readAlphabet();
  return known;
};

/** The classes of a text's signs. */
export function encodeLine(text: string): number[] {
  return Array.from(text, sign => {
    const found = alphabet().indexOf(sign);
    if (found < 1) throw new Error(`the model does not know the sign "${sign}"`);
    return found;
  });
}

/** Greedy CTC: the best class of each step, repeats merged, blanks dropped. `probabilities` is [1, steps, classes]. */
export function decodeLine(probabilities: Tensor): string {
  const [, steps = 0, classes = 0] = probabilities.dims;
  const signs = alphabet();
  if (classes !== signs.length) {
    throw new Error(`the model has ${classes} classes, the alphabet ${signs.length} signs`);
  }
  const values = probabilities.toFloat32();
  let text = '';
  let previous = 0;
  for (let step = 0; step < steps; step++) {
    let best = 0;
    for (let c = 1; c < classes; c++) {
      if (values[step * classes + c]! > values[step * classes + best]!) best = c;
    }
    if (best !== previous) text += signs[best];
    previous = best;
  }
  return text;
}

/** Reads one line with a model. */
export async function readLine(runner: Runner, label: LineLabel): Promise<string> {
  const outputs = await runner.run(await lineSample(label));
  return decodeLine(outputs[runner.outputs[0]!.name]!);
}

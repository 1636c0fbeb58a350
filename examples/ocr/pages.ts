import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ImageSpec, Runner, Sample } from 'whittle-nn/data';
import { IMAGENET } from 'whittle-nn/data';
import { readImage } from 'whittle-nn/data/node';
import type { Box, Mask } from './boxes.js';

export interface PageLabel {
  /** JPEG of a page, in `fixtures/pages/`. */
  file: string;
  /** Each line that was drawn. */
  boxes: Box[];
  split: 'calibration' | 'test';
}

const folder = new URL('./fixtures/pages/', import.meta.url);

/** The labelled pages of one split. */
export function pageLabels(split: PageLabel['split']): PageLabel[] {
  const labels = JSON.parse(readFileSync(new URL('labels.json', folder), 'utf8')) as PageLabel[];
  return labels.filter(label => label.split === split);
}

export const pagePath = (label: PageLabel): string => fileURLToPath(new URL(label.file, folder));

/**
 * How PP-OCR's detection models want a page: ImageNet's mean and std, but in BGR order without being reversed,
 * and sides that are multiples of 32.
 */
const SPEC: ImageSpec = {
  input: 'x',
  dtype: 'float32',
  layout: 'nchw',
  channels: 'bgr',
  height: undefined,
  width: undefined,
  fit: 'pad',
  multipleOf: 32,
  maxSide: 960,
  scale: 1 / 255,
  ...IMAGENET,
};

/** The feeds for one page: float32 of shape [1, 3, height, width]. */
export const pageSample = async (label: PageLabel): Promise<Sample> => ({
  [SPEC.input]: await readImage(pagePath(label), SPEC),
});

/** Where the model sees text: a probability map [1, 1, height, width] cut at 0.3, as PP-OCR does. */
export async function findText(runner: Runner, label: PageLabel): Promise<Mask> {
  const outputs = await runner.run(await pageSample(label));
  const map = outputs[runner.outputs[0]!.name]!;
  const [, , height = 0, width = 0] = map.dims;
  return { width, height, data: Uint8Array.from(map.toFloat32(), p => (p > 0.3 ? 1 : 0)) };
}

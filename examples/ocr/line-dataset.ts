import { arrayDataset, type Dataset } from 'whittle-nn/datasets';
import { Tensor } from 'whittle-nn/graph';
import { encodeLine, type LineLabel, lineSample } from './lines.js';

/**
 * Lines to train on: `x` [lines, 3, 48, width], as wide as the widest, and their signs as `labels`, filled up with
 * blanks. What a line does not fill is 0 as in PP-OCR's own training.
 */
export async function lineDataset(lines: readonly LineLabel[]): Promise<Dataset> {
  const images = await Promise.all(lines.map(async line => (await lineSample(line)).x!));
  const width = Math.max(...images.map(({ dims }) => dims[3]!));
  const height = 48;
  const pixels = new Float32Array(lines.length * 3 * height * width);
  for (const [i, image] of images.entries()) {
    const own = image.dims[3]!;
    const values = image.toFloat32();
    for (let row = 0; row < 3 * height; row++) {
      pixels.set(values.subarray(row * own, (row + 1) * own), (i * 3 * height + row) * width);
    }
  }
  const signs = lines.map(({ text }) => encodeLine(text));
  const length = Math.max(...signs.map(line => line.length));
  const labels = signs.flatMap(line => [...line, ...new Array<number>(length - line.length).fill(0)]);
  return arrayDataset({
    x: Tensor.float32([lines.length, 3, height, width], pixels),
    labels: Tensor.int64(labels, [lines.length, length]),
  });
}

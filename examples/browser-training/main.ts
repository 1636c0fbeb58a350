import { ImageArray, mnist } from 'whittle-nn/datasets';
import { exportForInference } from 'whittle-nn/nn';
import { encodeToBytes } from 'whittle-nn/onnx';
import { createSession } from 'whittle-nn/runtime';
import { drawDigits } from './digits.js';
import { type Progress, trainDigits } from './training.js';

const find = <T extends Element>(selector: string): T => document.querySelector<T>(selector)!;
const form = find<HTMLFormElement>('#settings');
const stop = find<HTMLButtonElement>('#stop');
const link = find<HTMLAnchorElement>('#download');
const status = find<HTMLParagraphElement>('#status');

form.addEventListener('submit', async event => {
  event.preventDefault();
  const start = form.querySelector<HTMLButtonElement>('button[type=submit]')!;
  [start.disabled, stop.disabled, link.hidden] = [true, false, true];
  const values = new FormData(form);
  try {
    await run(
      values.get('provider') as 'wasm' | 'webgpu',
      Number(values.get('updates')),
      values.getAll('files') as File[],
    );
  } catch (error) {
    status.textContent = error instanceof Error ? error.message : String(error);
  } finally {
    [start.disabled, stop.disabled] = [false, true];
  }
});

async function run(provider: 'wasm' | 'webgpu', updates: number, files: readonly File[]): Promise<void> {
  status.textContent = 'Preparing …';
  const data = await readData(files.filter(file => file.size > 0));
  const control = new AbortController();
  stop.onclick = () => control.abort();
  const seen: Progress[] = [];
  const started = performance.now();
  const { network, evaluation } = await trainDigits({
    data,
    provider,
    updates,
    signal: control.signal,
    onUpdate(progress) {
      seen.push(progress);
      const ms = (performance.now() - started) / seen.length;
      status.textContent = `Step ${progress.update} of ${updates}: loss ${progress.loss.toFixed(3)}, ${ms.toFixed(0)} ms a step`;
      drawLoss(seen, updates);
    },
  });
  const model = exportForInference(network);
  const bytes = encodeToBytes(model);
  link.href = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
  link.download = 'digits.onnx';
  link.hidden = false;
  if (evaluation) {
    status.textContent += `. ${(evaluation.accuracy! * 100).toFixed(1)}% of ${data.test.length} new images are right.`;
  }
  await showExamples(bytes, data.test);
}

/** Two files, images and labels in any order, or digits of our own. The last tenth is held out. */
async function readData(files: readonly File[]): Promise<{ train: ImageArray; test: ImageArray }> {
  if (files.length === 0) return { train: drawDigits(4000, 1), test: drawDigits(500, 2) };
  if (files.length !== 2) throw new Error('Choose two files: the images and the labels');
  const [large, small] = [...files].sort((a, b) => b.size - a.size) as [File, File];
  const [images, labels] = await Promise.all(
    [large, small].map(async file => new Uint8Array(await file.arrayBuffer())),
  );
  const all = mnist(images!, labels!, { file: large.name });
  const from = Math.floor(0.9 * all.length);
  return { train: part(all, 0, from), test: part(all, from, all.length) };
}

function part(all: ImageArray, from: number, to: number): ImageArray {
  const size = all.shape.reduce((product, dim) => product * dim, 1);
  const { shape, normalization, classes } = all;
  return new ImageArray({
    pixels: all.pixels.subarray(from * size, to * size),
    labels: all.labels.subarray(from, to),
    shape,
    normalization,
    classes,
  });
}

function drawLoss(seen: readonly Progress[], updates: number): void {
  const top = Math.max(...seen.map(({ loss }) => loss));
  const points = seen.map(
    ({ update, loss }) => `${(400 * update) / updates},${(135 * (1 - loss / top) + 2).toFixed(1)}`,
  );
  find('#line').setAttribute('points', points.join(' '));
}

/** Runs the exported file on a few new images. */
async function showExamples(bytes: Uint8Array, test: ImageArray): Promise<void> {
  const indices = Array.from({ length: 10 }, (_, i) => i);
  const { pixel_values } = await test.batch(indices);
  const session = await createSession(bytes, { provider: 'wasm' });
  const [logits] = Object.values(await session.run({ pixel_values: pixel_values! }));
  const scores = logits!.toNumbers();
  await session.release();
  const [, height, width] = test.shape;
  find('#examples').replaceChildren(
    ...indices.map(index => {
      const row = scores.slice(index * 10, index * 10 + 10);
      const canvas = Object.assign(document.createElement('canvas'), { width, height });
      const image = new ImageData(width, height);
      for (let i = 0; i < width * height; i++) {
        image.data.fill(test.pixels[index * width * height + i]!, 4 * i, 4 * i + 3);
        image.data[4 * i + 3] = 255;
      }
      canvas.getContext('2d')!.putImageData(image, 0, 0);
      const figure = document.createElement('figure');
      figure.append(canvas, test.classes[row.indexOf(Math.max(...row))] ?? '?');
      return figure;
    }),
  );
}

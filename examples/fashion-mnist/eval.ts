/** Scores a classifier of Fashion-MNIST on the 10,000 test images: `--eval examples/fashion-mnist/eval.ts`. */
import type { EvalFunction } from 'whittle-nn/data';
import { images } from './images.js';

const BATCH = 250;

const evaluate: EvalFunction = async (runner, { onProgress, signal }) => {
  const data = images('test');
  let right = 0;
  for (let start = 0; start < data.length; start += BATCH) {
    signal?.throwIfAborted();
    const { pixel_values, labels } = await data.batch(Array.from({ length: BATCH }, (_, i) => start + i));
    const outputs = await runner.run({ [runner.inputs[0]!.name]: pixel_values! });
    const scores = outputs[runner.outputs[0]!.name]!.toFloat32();
    const classes = scores.length / BATCH;
    labels!.toNumbers().forEach((label, i) => {
      const row = scores.subarray(i * classes, (i + 1) * classes);
      if (row.indexOf(Math.max(...row)) === label) right++;
    });
    onProgress?.(start + BATCH, data.length);
  }
  return {
    scores: {
      accuracy: {
        value: (100 * right) / data.length,
        format: 'percent',
        description: 'test images classified right',
      },
    },
  };
};

export default evaluate;

/** Accuracy on the 10 000 test images of Fashion-MNIST, for `--eval examples/train/fashion-mnist-eval.ts`. */
import type { EvalFunction } from 'whittle-nn/data';
import { loadFashionMnist } from 'whittle-nn/datasets/node';

const BATCH = 250;

const evaluate: EvalFunction = async (runner, { onProgress, signal }) => {
  const images = loadFashionMnist(process.env.FASHION_MNIST, 'test');
  let right = 0;
  for (let first = 0; first < images.length; first += BATCH) {
    signal?.throwIfAborted();
    const count = Math.min(BATCH, images.length - first);
    const { pixel_values, labels } = await images.batch(Array.from({ length: count }, (_, i) => first + i));
    const outputs = await runner.run({ pixel_values: pixel_values! });
    const logits = Object.values(outputs)[0]!;
    const classes = logits.dims.at(-1)!;
    const values = logits.toFloat32();
    const expected = labels!.toNumbers();
    for (let i = 0; i < count; i++) {
      const row = values.subarray(i * classes, (i + 1) * classes);
      if (row.indexOf(Math.max(...row)) === Number(expected[i])) right++;
    }
    onProgress?.(first + count, images.length);
  }
  const value = (100 * right) / images.length;
  return {
    accuracy: { value, format: 'percent', description: 'test images of Fashion-MNIST classed rightly' },
  };
};

export default evaluate;

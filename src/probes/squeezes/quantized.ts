import type { Squeeze } from '../squeeze.js';

/** Rounding to −q … q with a scale for each output, the largest weight at q. */
export const quantized: Squeeze = {
  name: 'quantized',
  measures: 'bits of a weight, log₂ of the number of equally spaced values',
  levels: 127,
  at(layers, level) {
    const top = level + 1;
    return {
      size: Math.log2(2 * top + 1),
      weights: layers.map(({ weight, rows, cols }) => {
        const rounded = new Float32Array(weight.length);
        for (let r = 0; r < rows; r++) {
          const row = weight.subarray(r * cols, (r + 1) * cols);
          const scale = row.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0) / top || 1;
          rounded.set(
            row.map(x => Math.round(x / scale) * scale),
            r * cols,
          );
        }
        return rounded;
      }),
    };
  },
};

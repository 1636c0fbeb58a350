import type { WeightMatrix } from './matrix.js';
import { bestScale, type IntegerFormat, type QuantizedMatrix } from './quantizer.js';

/**
 * What error feedback needs to know of a layer's inputs: U, upper triangular and row-major (width, width), with
 * (S + damping)⁻¹ = Uᵀ U. Row i says how an error in column i is best made good by the columns after it.
 */
export interface FeedbackFactor {
  readonly width: number;
  readonly u: Float64Array;
}

/** Rows rounded together: U is read once for all of them, and it is what does not fit into the cache. */
const BATCH = 4;

/**
 * Quantization with error feedback: column by column, the rounding error is carried over to the columns not yet
 * rounded, so that the layer's output on the calibration inputs changes least.
 * (GPTQ: Frantar, Ashkboos, Hoefler, Alistarh, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
 * Transformers", 2023.)
 * @param roundScale rounds a scale to how it will be stored
 */
export function quantizeWithFeedback(
  { data, rows, cols }: WeightMatrix,
  format: IntegerFormat,
  { u }: FeedbackFactor,
  roundScale: (scale: number) => number = Math.fround,
): QuantizedMatrix {
  const block = format.block === 0 ? cols : Math.min(format.block, cols);
  const blocks = Math.ceil(cols / block);
  const paddedCols = blocks * block;
  const q = new Int8Array(rows * paddedCols);
  const scales = new Float32Array(rows * blocks);
  const limit = 2 ** (format.bits - 1);
  // A column's rounding error costs (w − q)² / u², so that is its weight when a scale is chosen.
  const importance = Float64Array.from({ length: cols }, (_, c) => 1 / u[c * cols + c]! ** 2);
  // Weights as they are by now, the rows of a batch side by side: w[c * BATCH + row].
  const w = new Float64Array(cols * BATCH);
  const errors = new Float64Array(BATCH);
  const values = new Float64Array(block);
  for (let first = 0; first < rows; first += BATCH) {
    const batch = Math.min(BATCH, rows - first);
    w.fill(0);
    for (let r = 0; r < batch; r++) {
      for (let c = 0; c < cols; c++) w[c * BATCH + r] = data[(first + r) * cols + c]!;
    }
    for (let c = 0; c < cols; c++) {
      const b = Math.floor(c / block);
      if (c % block === 0) {
        const width = Math.min(block, cols - c);
        for (let r = 0; r < batch; r++) {
          for (let i = 0; i < width; i++) values[i] = w[(c + i) * BATCH + r]!;
          scales[(first + r) * blocks + b] = bestScale(
            values.subarray(0, width),
            format.bits,
            roundScale,
            importance.subarray(c, c + width),
          );
        }
      }
      const diagonal = u[c * cols + c]!;
      errors.fill(0);
      for (let r = 0; r < batch; r++) {
        const scale = scales[(first + r) * blocks + b]!;
        const value = w[c * BATCH + r]!;
        const rounded = scale === 0 ? 0 : Math.min(limit - 1, Math.max(-limit, Math.round(value / scale)));
        q[(first + r) * paddedCols + c] = rounded;
        errors[r] = (value - rounded * scale) / diagonal;
      }
      feedBack(w, u, errors, c, cols);
    }
  }
  return { format, rows, cols, paddedCols, block, q, scales };
}

/** w[j] −= error · U[c, j] for all columns j after c, written out for the four rows of a batch. */
function feedBack(w: Float64Array, u: Float64Array, errors: Float64Array, c: number, cols: number): void {
  const [e0, e1, e2, e3] = [errors[0]!, errors[1]!, errors[2]!, errors[3]!];
  const row = c * cols;
  for (let j = c + 1; j < cols; j++) {
    const factor = u[row + j]!;
    const at = j * BATCH;
    w[at]! -= e0 * factor;
    w[at + 1]! -= e1 * factor;
    w[at + 2]! -= e2 * factor;
    w[at + 3]! -= e3 * factor;
  }
}

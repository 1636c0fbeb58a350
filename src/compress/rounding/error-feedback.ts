import {
  type DenseMatrix,
  type InverseFactor,
  inverseFactor,
  matrix,
  roundWithFeedback,
} from '../../linalg/index.js';
import type { WeightMatrix } from '../matrix.js';
import { type IntegerFormat, paysAsHalf, type QuantizedMatrix, storedExponent } from './quantizer.js';

/** Damping of S, as a share of its mean diagonal. */
const DAMPING = 0.01;

/** What error feedback needs to know of a layer's inputs, from their second moment (width × width). */
export const feedbackFactor = (second: Float64Array<ArrayBuffer>, width: number): InverseFactor =>
  inverseFactor(matrix(second, width, width), DAMPING);

/**
 * Quantization with error feedback: column by column, the rounding error is carried over to the columns not yet
 * rounded, so that the layer's output on the calibration inputs changes least.
 * (GPTQ: Frantar, Ashkboos, Hoefler, Alistarh, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
 * Transformers", 2023.) Scales are float16 where its range holds them all and that saves bytes.
 * @param factors one for each group of the weight's rows, see `feedbackFactor`
 */
export function quantizeWithFeedback(
  { data, rows, cols }: WeightMatrix,
  format: IntegerFormat,
  factors: readonly DenseMatrix[],
): QuantizedMatrix {
  const block = format.block === 0 ? cols : Math.min(format.block, cols);
  const blocks = Math.ceil(cols / block);
  const paddedCols = blocks * block;
  const groupRows = rows / factors.length;
  const q = new Int8Array(rows * paddedCols);
  const scales = new Float32Array(rows * blocks);
  const losses = new Float64Array(rows);
  const round = (precision: 'float16' | 'float32'): boolean => {
    for (const [g, factor] of factors.entries()) {
      const part = matrix(
        data.subarray(g * groupRows * cols, (g + 1) * groupRows * cols) as Float32Array<ArrayBuffer>,
        groupRows,
        cols,
      );
      const [rounded] = roundWithFeedback(part, factor, [{ ...format, scales: precision }]);
      // A group that float16 cannot hold takes the whole layer with it.
      if (precision === 'float16' && factors.length > 1 && !rounded!.half) return false;
      q.set(rounded!.q, g * groupRows * paddedCols);
      scales.set(rounded!.scales, g * groupRows * blocks);
      losses.set(rounded!.losses, g * groupRows);
    }
    return precision === 'float32' || factors.length === 1 || storedExponent(scales) !== undefined;
  };
  if (!paysAsHalf(scales.length) || !round('float16')) round('float32');
  return { format, rows, cols, paddedCols, block, q, scales, losses };
}

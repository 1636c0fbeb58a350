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

/** Columns whose updates are applied to the rest of the matrix at once; a multiple of every smaller block. */
const PANEL = 64;

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
  const w = Float64Array.from(data);
  const errors = new Float64Array(rows * PANEL);
  // A column's rounding error costs (w − q)² / u², so that is its weight when a scale is chosen.
  const importance = Float64Array.from({ length: cols }, (_, c) => 1 / u[c * cols + c]! ** 2);
  for (let panel = 0; panel < cols; panel += PANEL) {
    const panelEnd = Math.min(panel + PANEL, cols);
    for (let c = panel; c < panelEnd; c++) {
      if (c % block === 0) {
        const end = Math.min(c + block, cols);
        // The block starts within or with the panel, so its weights carry all updates so far.
        for (let r = 0; r < rows; r++) {
          const values = w.subarray(r * cols + c, r * cols + end);
          scales[r * blocks + c / block] = bestScale(
            values,
            format.bits,
            roundScale,
            importance.subarray(c, end),
          );
        }
      }
      const diagonal = u[c * cols + c]!;
      for (let r = 0; r < rows; r++) {
        const scale = scales[r * blocks + Math.floor(c / block)]!;
        const value = w[r * cols + c]!;
        const rounded = scale === 0 ? 0 : Math.min(limit - 1, Math.max(-limit, Math.round(value / scale)));
        q[r * paddedCols + c] = rounded;
        const error = (value - rounded * scale) / diagonal;
        errors[r * PANEL + c - panel] = error;
        for (let j = c + 1; j < panelEnd; j++) w[r * cols + j]! -= error * u[c * cols + j]!;
      }
    }
    updateRest(w, u, errors, rows, cols, panel, panelEnd);
  }
  return { format, rows, cols, paddedCols, block, q, scales };
}

/** W[:, panelEnd:] −= E · U[panel, panelEnd:]. */
function updateRest(
  w: Float64Array,
  u: Float64Array,
  errors: Float64Array,
  rows: number,
  cols: number,
  panel: number,
  panelEnd: number,
): void {
  for (let r = 0; r < rows; r++) {
    const row = w.subarray(r * cols, (r + 1) * cols);
    for (let k = panel; k < panelEnd; k++) {
      const error = errors[r * PANEL + k - panel]!;
      if (error === 0) continue;
      const uRow = u.subarray(k * cols, (k + 1) * cols);
      for (let j = panelEnd; j < cols; j++) row[j]! -= error * uRow[j]!;
    }
  }
}

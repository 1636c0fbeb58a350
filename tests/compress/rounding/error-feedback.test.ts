import { f16round } from '@petamoriken/float16';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WeightMatrix } from '../../../src/compress/matrix.js';
import { feedbackFactor, quantizeWithFeedback } from '../../../src/compress/rounding/error-feedback.js';
import {
  bestScale,
  dequantizeRows,
  type IntegerFormat,
  type QuantizedMatrix,
  quantizeForStorage,
  quantizeRows,
} from '../../../src/compress/rounding/quantizer.js';
import { matmul, matrix, pinv } from '../../../src/linalg/index.js';
import { Random } from '../../../src/random/random.js';
import { numbers } from '../one-layer.js';

interface Problem {
  readonly weight: WeightMatrix;
  /** Σ x xᵀ of correlated inputs. */
  readonly second: Float64Array<ArrayBuffer>;
  readonly damped: Float64Array<ArrayBuffer>;
}

function problem(seed: number, rows: number, cols: number): Problem {
  const random = new Random(seed);
  const count = 3 * cols;
  const mix = matrix(numbers(random, cols * cols, 0), cols, cols);
  const x = matmul(matrix(numbers(random, count * cols), count, cols), mix);
  const second = matmul(x, x, { transposeA: true }).data;
  const damped = Float64Array.from(second);
  let trace = 0;
  for (let i = 0; i < cols; i++) trace += second[i * cols + i]!;
  for (let i = 0; i < cols; i++) damped[i * cols + i]! += (0.01 * trace) / cols;
  return { weight: { data: numbers(random, rows * cols, 0), rows, cols }, second, damped };
}

/** tr(D S Dᵀ). */
function outputError({ weight, second }: Problem, replacement: Float32Array): number {
  const { data, rows, cols } = weight;
  const d = matrix(
    Float64Array.from(data, (v, i) => v - replacement[i]!),
    rows,
    cols,
  );
  const product = matmul(d, matrix(second, cols, cols)).data;
  return product.reduce((sum, v, i) => sum + v * d.data[i]!, 0);
}

/**
 * Follows the algorithm by its definition (optimal brain quantization in column order; after each column the inverse of
 * the Hessian of the remaining columns is computed anew), but takes over every integer and every scale that was chosen,
 * so that a tie which rounding decides leads nowhere else. Returns by how much the worst of these choices misses the
 * best one: of a scale, in shares of its block's error; of an integer, in steps.
 */
function worstChoice({ weight, damped }: Problem, format: IntegerFormat, chosen: QuantizedMatrix): number {
  const { data, rows, cols } = weight;
  const { block, paddedCols, scales } = chosen;
  const limit = 2 ** (format.bits - 1);
  const stored = scales.every(scale => scale === f16round(scale)) ? f16round : Math.fround;
  const nearest = (value: number, scale: number): number =>
    scale === 0 ? 0 : Math.min(limit - 1, Math.max(-limit, Math.round(value / scale)));
  const w = Float64Array.from(data);
  const inverses = Array.from({ length: cols }, (_, c) => {
    const rest = cols - c;
    const h = new Float64Array(rest * rest);
    for (let i = 0; i < rest; i++) {
      for (let j = 0; j < rest; j++) h[i * rest + j] = damped[(c + i) * cols + c + j]!;
    }
    return pinv(matrix(h, rest, rest)).data;
  });
  const importance = inverses.map(inverse => 1 / inverse[0]!);
  let worst = 0;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const scale = scales[r * Math.ceil(cols / block) + Math.floor(c / block)]!;
      if (c % block === 0) {
        const end = Math.min(c + block, cols);
        const values = w.subarray(r * cols + c, r * cols + end);
        const weights = importance.slice(c, end);
        const errorOf = (s: number): number =>
          values.reduce((sum, v, i) => sum + weights[i]! * (v - s * nearest(v, s)) ** 2, 0);
        const best = errorOf(bestScale(values, format.bits, stored, weights));
        const norm = values.reduce((sum, v, i) => sum + weights[i]! * v * v, 0);
        worst = Math.max(worst, (errorOf(scale) - best) / (best + 1e-6 * norm));
      }
      const value = w[r * cols + c]!;
      const q = chosen.q[r * paddedCols + c]!;
      const steps = scale === 0 ? 0 : Math.min(limit - 1, Math.max(-limit, value / scale));
      worst = Math.max(worst, Math.abs(q - steps) - 0.5);
      const inverse = inverses[c]!;
      const error = (value - q * scale) / inverse[0]!;
      for (let j = c; j < cols; j++) w[r * cols + j]! -= error * inverse[j - c]!;
    }
  }
  return worst;
}

const format = fc.record({ bits: fc.integer({ min: 2, max: 7 }), block: fc.constantFrom(0, 4, 16) });

describe('quantizeWithFeedback', () => {
  it('equals the definition, which inverts what remains of the Hessian at each step', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 2, max: 24 }),
        format,
        (seed, rows, cols, f) => {
          const made = problem(seed, rows, cols);
          const factor = feedbackFactor(made.second, cols);
          const chosen = quantizeWithFeedback(made.weight, f, [factor]);
          expect(worstChoice(made, f, chosen)).toBeLessThan(1e-3);
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each([2, 3, 4, 5, 6])('beats rounding to nearest by far at %i bits', bits => {
    for (const block of [0, 16]) {
      const made = problem(bits, 24, 64);
      const f = { bits, block };
      const factor = feedbackFactor(made.second, 64);
      const fed = outputError(made, dequantizeRows(quantizeWithFeedback(made.weight, f, [factor])));
      const nearest = outputError(made, dequantizeRows(quantizeRows(made.weight, f)));
      expect(fed).toBeLessThan(0.6 * nearest);
    }
  });

  it('is rounding to nearest where inputs are independent', () => {
    const { weight } = problem(5, 7, 32);
    const identity = new Float64Array(32 * 32);
    for (let i = 0; i < 32; i++) identity[i * 33] = 1;
    const f = { bits: 4, block: 16 };
    const fed = quantizeWithFeedback(weight, f, [feedbackFactor(identity, 32)]);
    const nearest = quantizeForStorage(weight, f);
    expect(fed.q).toEqual(nearest.q);
    expect(fed.scales).toEqual(nearest.scales);
  });

  it('keeps inputs that never vary, and rows of zeros', () => {
    const cols = 16;
    const second = new Float64Array(cols * cols);
    for (let i = 0; i < 8; i++) second[i * cols + i] = 1;
    const data = new Float32Array(2 * cols);
    for (let i = 0; i < cols; i++) data[i] = i - 7;
    const result = quantizeWithFeedback({ data, rows: 2, cols }, { bits: 4, block: 0 }, [
      feedbackFactor(second, cols),
    ]);
    const restored = dequantizeRows(result);
    expect(restored.every(Number.isFinite)).toBe(true);
    expect(restored.subarray(cols).every(v => v === 0)).toBe(true);
  });
});

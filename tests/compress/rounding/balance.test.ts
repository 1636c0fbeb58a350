import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quantizeBalanced, scalesOf } from '../../../src/compress/rounding/balance.js';
import { feedbackFactor, quantizeWithFeedback } from '../../../src/compress/rounding/error-feedback.js';
import {
  dequantizeRows,
  type QuantizedMatrix,
  storedExponent,
} from '../../../src/compress/rounding/quantizer.js';
import { matmul, matrix } from '../../../src/linalg/index.js';
import { Random } from '../../../src/random/random.js';
import { numbers } from '../one-layer.js';

/** A layer of which some input channels are much larger than others, in weights or in activations. */
function problem(seed: number, rows: number, cols: number) {
  const random = new Random(seed);
  const sizes = Array.from({ length: cols }, () => Math.exp(1.5 * random.normal()));
  const loud = Array.from({ length: cols }, () => Math.exp(random.normal()));
  const data = numbers(random, rows * cols, 0).map((v, i) => v * sizes[i % cols]!);
  const x = numbers(random, 4 * cols * cols).map((v, i) => v * loud[i % cols]!);
  const second = matmul(matrix(x, 4 * cols, cols), matrix(x, 4 * cols, cols), { transposeA: true }).data;
  return { weight: { data, rows, cols }, second, factor: feedbackFactor(second, cols) };
}

/** tr(D S Dᵀ). */
function outputError(
  { weight: { data, rows, cols }, second }: ReturnType<typeof problem>,
  quantized: QuantizedMatrix,
): number {
  const restored = dequantizeRows(quantized);
  const d = matrix(
    Float64Array.from(data, (v, i) => v - restored[i]!),
    rows,
    cols,
  );
  const product = matmul(d, matrix(second, cols, cols)).data;
  return product.reduce((sum, v, i) => sum + v * d.data[i]!, 0);
}

describe('quantizeBalanced', () => {
  it('errs less than without balance where columns differ, on average by more than half', () => {
    const ratioOf = (seed: number, bits: number, block: number) => {
      const given = problem(seed, 24, 48);
      const plain = quantizeWithFeedback(given.weight, { bits, block }, [given.factor]);
      const balanced = quantizeBalanced(given.weight, { bits, block }, given.factor);
      return outputError(given, balanced) / outputError(given, plain);
    };
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1000 }),
        fc.constantFrom(3, 4, 6),
        fc.constantFrom(12, 24),
        (seed, bits, block) => {
          expect(ratioOf(seed, bits, block)).toBeLessThan(1.2);
        },
      ),
      { numRuns: 20 },
    );
    const ratios = Array.from({ length: 12 }, (_, seed) => ratioOf(seed, 4, 12));
    expect(ratios.reduce((a, b) => a + b) / ratios.length).toBeLessThan(0.5);
  });

  it('takes an asymmetric grid where rows lie to one side, and errs less for it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), fc.constantFrom(0, 12), (seed, block) => {
        const given = problem(seed, 24, 48);
        const random = new Random(seed);
        // Rows about a centre of their own, three times as far from zero as they are wide.
        const data = Float32Array.from({ length: 24 * 48 }, () => random.normal());
        for (let r = 0; r < 24; r++) for (let c = 0; c < 48; c++) data[r * 48 + c]! += r % 2 ? 9 : -9;
        const aside = { ...given, weight: { ...given.weight, data } };
        const format = { bits: 4, block };
        const result = quantizeBalanced(aside.weight, format, aside.factor);
        const symmetric = quantizeWithFeedback(aside.weight, format, [aside.factor]);
        expect(result.offsets).toBeDefined();
        expect(outputError(aside, result)).toBeLessThan(0.3 * outputError(aside, symmetric));
      }),
      { numRuns: 20 },
    );
  });

  it('with scales of a byte errs little more than with scales of float16', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), fc.constantFrom(3, 5), (seed, bits) => {
        const given = problem(seed, 24, 48);
        const nested = quantizeBalanced(given.weight, { bits, block: 12 }, given.factor);
        const halves = quantizeWithFeedback(given.weight, { bits, block: 12 }, [given.factor]);
        expect(nested.nested).toBeDefined();
        expect(outputError(given, nested)).toBeLessThan(1.1 * outputError(given, halves));
      }),
      { numRuns: 20 },
    );
  });

  it('keeps integers and codes in range, and scales what units and codes say', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 2, max: 8 }), (seed, bits) => {
        const given = problem(seed, 24, 40);
        const { q, scales, nested, columns } = quantizeBalanced(
          given.weight,
          { bits, block: 10 },
          given.factor,
        );
        expect(q.every(v => v >= -(2 ** (bits - 1)) && v < 2 ** (bits - 1))).toBe(true);
        expect(columns!.codes).toHaveLength(40);
        expect(nested!.codes.every(code => code !== 0 && code !== -128)).toBe(true);
        expect(scales).toEqual(scalesOf(nested!.units, nested!.codes));
      }),
      { numRuns: 30 },
    );
  });

  it('stores scales in a byte whatever lies in single rows', () => {
    const given = problem(7, 24, 48);
    given.weight.data.subarray(0, 48).fill(0);
    for (let c = 48; c < 96; c++) given.weight.data[c]! *= 1e-30;
    const { nested } = quantizeBalanced(given.weight, { bits: 6, block: 12 }, given.factor);
    expect(storedExponent(nested!.units)).toBeDefined();
  });

  it('rounds rows of zeros to zeros, without calibration too', () => {
    const weight = { data: new Float32Array(4 * 32), rows: 4, cols: 32 };
    weight.data.fill(0.5, 0, 32);
    for (const block of [0, 8]) {
      const restored = dequantizeRows(quantizeBalanced(weight, { bits: 4, block }, undefined));
      expect(restored.subarray(32).every(v => v === 0)).toBe(true);
      expect(restored[0]).toBeCloseTo(0.5, 2);
    }
  });
});

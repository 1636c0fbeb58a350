import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dequantizeRows,
  quantizeForStorage,
  quantizeRows,
  roundedToHalf,
  storedExponent,
} from '../../../src/compress/rounding/quantizer.js';
import { toFloat16 } from '../../../src/graph/tensor.js';

const matrix = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 70 }))
  .chain(([rows, cols]) =>
    fc
      .float32Array({
        minLength: rows * cols,
        maxLength: rows * cols,
        noNaN: true,
        min: -1000,
        max: 1000,
      })
      .map(data => ({ data, rows, cols })),
  );
const format = fc.record({ bits: fc.integer({ min: 2, max: 8 }), block: fc.constantFrom(0, 4, 16, 32) });

describe('quantizeRows', () => {
  it('keeps integers in range and pads with zeros', () => {
    fc.assert(
      fc.property(matrix, format, (m, f) => {
        const result = quantizeRows(m, f);
        const limit = 2 ** (f.bits - 1);
        expect(result.q.every(v => v >= -limit && v < limit)).toBe(true);
        expect(result.paddedCols % result.block).toBe(0);
        for (let r = 0; r < m.rows; r++) {
          for (let c = m.cols; c < result.paddedCols; c++)
            expect(result.q[r * result.paddedCols + c]).toBe(0);
        }
      }),
    );
  });

  it('errs by at most half a step per weight at 8 bits', () => {
    fc.assert(
      fc.property(matrix, m => {
        const result = quantizeRows(m, { bits: 8, block: 0 });
        const back = dequantizeRows(result);
        m.data.forEach((v, i) => {
          const step = Math.abs(result.scales[Math.floor(i / m.cols)]!);
          expect(Math.abs(back[i]! - v)).toBeLessThanOrEqual(step * 0.5001 + 1e-37);
        });
      }),
    );
  });

  it('is never worse in squared error than the scale that just reaches the largest weight', () => {
    fc.assert(
      fc.property(matrix, fc.integer({ min: 2, max: 7 }), (m, bits) => {
        const back = dequantizeRows(quantizeRows(m, { bits, block: 0 }));
        for (let r = 0; r < m.rows; r++) {
          const row = m.data.subarray(r * m.cols, (r + 1) * m.cols);
          const limit = 2 ** (bits - 1);
          const extreme = row.reduce((a, v) => (Math.abs(v) > Math.abs(a) ? v : a), 0);
          const scale = Math.fround(extreme / -limit);
          let plain = 0;
          let ours = 0;
          row.forEach((v, c) => {
            const q = scale === 0 ? 0 : Math.min(limit - 1, Math.max(-limit, Math.round(v / scale)));
            plain += (v - q * scale) ** 2;
            ours += (v - back[r * m.cols + c]!) ** 2;
          });
          expect(ours).toBeLessThanOrEqual(plain * 1.001 + 1e-30);
        }
      }),
    );
  });

  it('reproduces what the format can hold exactly', () => {
    const restored = (values: number[], bits: number, block: number) =>
      Array.from(
        dequantizeRows(
          quantizeRows({ data: Float32Array.from(values), rows: 1, cols: values.length }, { bits, block }),
        ),
        v => v + 0,
      );
    const exact = [-8, -4, 0, 7, 3, 3, 3, 3];
    expect(restored(exact, 4, 4)).toEqual(exact);
    expect(restored([0, 0, 0, 0], 3, 0)).toEqual([0, 0, 0, 0]);
  });

  it('rounds to scales as they will be stored', () => {
    const data = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
    const { scales } = quantizeRows({ data, rows: 2, cols: 32 }, { bits: 4, block: 16 }, toFloat16);
    for (const scale of scales) expect(toFloat16(scale)).toBe(scale);
  });
});

/** A number to the precision of float16, whatever its size. */
function elevenBits(value: number): number {
  return value === 0 ? 0 : roundedToHalf(value, -Math.floor(Math.log2(Math.abs(value))));
}

describe('storedExponent', () => {
  it('brings scales into the range of float16, whatever unit they are in', () => {
    const unit = fc.integer({ min: -100, max: 100 });
    const scales = fc.array(fc.double({ min: 1, max: 4000, noNaN: true }), { minLength: 30, maxLength: 60 });
    fc.assert(
      fc.property(scales, unit, (values, power) => {
        const small = values.map(value => value * 2 ** power);
        const exponent = storedExponent(small)!;
        for (const scale of small) {
          expect(Math.abs(roundedToHalf(scale, exponent) / scale - 1)).toBeLessThanOrEqual(2 ** -11);
        }
      }),
    );
  });

  it('has none where scales lie too far apart, and where a Cast would cost more', () => {
    expect(storedExponent([...new Array<number>(40).fill(1), 1e-12])).toBeUndefined();
    expect(storedExponent([1, 2])).toBeUndefined();
  });
});

describe('quantizeForStorage', () => {
  it('is quantizeRows with the scales as they will be stored', () => {
    fc.assert(
      fc.property(matrix, format, (m, f) => {
        const half = quantizeRows(m, f, elevenBits);
        const expected = storedExponent(half.scales) === undefined ? quantizeRows(m, f) : half;
        const result = quantizeForStorage(m, f);
        const [a, b] = [dequantizeRows(expected), dequantizeRows(result)];
        const error = (restored: Float32Array) =>
          m.data.reduce((sum, v, i) => sum + (v - restored[i]!) ** 2, 0);
        // Of scales that are as good, and of values in the middle, either may be taken.
        expect(error(b)).toBeLessThanOrEqual(1.05 * error(a) + 1e-9);
        const exponent = storedExponent(result.scales);
        if (exponent === undefined) return;
        expect(result.scales).toEqual(result.scales.map(scale => roundedToHalf(scale, exponent)));
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GramAccumulator, gram, matmul, matrix } from '../../src/linalg/index.js';
import { build, distance, flip, frobenius, gaussian, multiply } from './matrices.js';

describe('matmul', () => {
  it('equals the definition for every shape and both transpositions', () => {
    const size = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(size, size, size, fc.boolean(), fc.boolean(), (m, k, n, transposeA, transposeB) => {
        const a = gaussian(m, k, m);
        const b = gaussian(k, n, n);
        const product = matmul(transposeA ? flip(a) : a, transposeB ? flip(b) : b, {
          transposeA,
          transposeB,
        });
        const expected = multiply(a, b);
        expect([product.rows, product.cols]).toEqual([m, n]);
        expect(distance(product, expected)).toBeLessThanOrEqual(1e-14 * (1 + frobenius(expected)));
      }),
      { numRuns: 100 },
    );
  });

  it('crosses the borders of all blocks', () => {
    const a = gaussian(133, 521, 1);
    const b = gaussian(521, 517, 2);
    expect(distance(matmul(a, b), multiply(a, b))).toBeLessThan(1e-10);
  });

  it('gives a part of the product the same bits as the whole', () => {
    const a = gaussian(140, 300, 3);
    const b = gaussian(300, 70, 4);
    const whole = matmul(a, b);
    const part = matmul(matrix(a.data.subarray(37 * 300), 50, 300), b);
    expect(part.data).toEqual(whole.data.subarray(37 * 70, 87 * 70));
  });

  it('adds to a sum over streamed blocks', () => {
    const a = gaussian(30, 64, 5);
    const b = gaussian(64, 20, 6);
    const sum = build(30, 20, () => 0);
    for (let p = 0; p < 64; p += 16) {
      const columns = matrix(a.data.subarray(p), 30, 16, 64);
      const rows = matrix(b.data.subarray(p * 20), 16, 20);
      expect(matmul(columns, rows, { addTo: sum })).toBe(sum);
    }
    expect(distance(sum, multiply(a, b))).toBeLessThan(1e-12);
  });

  it('rejects sizes that do not fit', () => {
    expect(() => matmul(gaussian(2, 3), gaussian(2, 3))).toThrow('2 × 3 cannot be multiplied by 2 × 3');
    expect(() => matmul(gaussian(2, 3), gaussian(3, 2), { addTo: build(3, 2, () => 0) })).toThrow('addTo');
  });
});

describe('gram', () => {
  it('equals aᵀ a and is symmetric to the bit', () => {
    const a = gaussian(77, 45, 1);
    const g = gram(a);
    expect(distance(g, multiply(flip(a), a))).toBeLessThan(1e-11);
    expect(g.data).toEqual(flip(g).data);
  });

  it('has the same bits however the rows are cut', () => {
    const rows = Float32Array.from(gaussian(1300, 24, 2).data);
    const whole = gram(matrix(rows, 1300, 24));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 }), sizes => {
        const sum = new GramAccumulator(24);
        let row = 0;
        for (const size of [...sizes, 1300]) {
          const count = Math.min(size, 1300 - row);
          if (count > 0) sum.add(matrix(rows.subarray(row * 24), count, 24));
          row += count;
        }
        expect(sum.count).toBe(1300);
        expect(sum.sum().data).toEqual(whole.data);
      }),
      { numRuns: 25 },
    );
  });

  it('can be read between blocks', () => {
    const a = gaussian(20, 5, 3);
    const sum = new GramAccumulator(5);
    sum.add(matrix(a.data.subarray(0, 50), 10, 5));
    expect(sum.sum().data).toEqual(gram(matrix(a.data.subarray(0, 50), 10, 5)).data);
    sum.add(matrix(a.data.subarray(50), 10, 5));
    expect(sum.sum().data).toEqual(gram(a).data);
  });

  it('rejects blocks of another width', () => {
    expect(() => new GramAccumulator(3).add(gaussian(2, 4))).toThrow('a block has 4 columns, expected 3');
    expect(() => new GramAccumulator(0)).toThrow('size is 0');
  });
});

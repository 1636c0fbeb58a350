import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apportion, layerCounts, smartCounts } from '../../../src/methods/sparse/density.js';
import {
  clearGaps,
  gather,
  largest,
  largestMagnitudes,
  magnitudes,
} from '../../../src/methods/sparse/select.js';

/** Values with many ties. */
const scores = fc
  .array(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.float({ noNaN: true })), {
    minLength: 1,
    maxLength: 60,
  })
  .map(values => Float32Array.from(values));

describe('the largest', () => {
  it('0 and −0 are equal', () => {
    expect([...largest(Float32Array.of(-0, 0, -0), 2)]).toEqual([1, 1, 0]);
  });

  it('are what sorting finds, the first of equals first', () => {
    fc.assert(
      fc.property(scores, fc.nat(60), (values, count) => {
        const order = Array.from(values, (value, i) => ({ value, i })).sort(
          (a, b) => b.value - a.value || a.i - b.i,
        );
        const expected = new Float32Array(values.length);
        for (const { i } of order.slice(0, count)) expected[i] = 1;
        expect(largest(values, count)).toEqual(expected);
      }),
    );
  });

  it('are chosen among candidates only', () => {
    fc.assert(
      fc.property(
        scores,
        fc.nat(60),
        fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
        (values, count, coins) => {
          const among = Float32Array.from(values, (_, i) => Number(coins[i]));
          const open = among.reduce((sum, here) => sum + here, 0);
          const chosen = largest(values, count, among);
          expect(chosen.reduce((sum, here) => sum + here, 0)).toBe(Math.min(count, open));
          expect(chosen.every((here, i) => here === 0 || among[i] === 1)).toBe(true);
        },
      ),
    );
  });

  it('by absolute value are the largest of the absolute values', () => {
    fc.assert(
      fc.property(scores, fc.nat(60), (values, count) => {
        expect(largestMagnitudes(values, count)).toEqual(largest(magnitudes(values), count));
      }),
    );
    expect([...largestMagnitudes(Float32Array.of(Number.NaN, 0, -1), 2)]).toEqual([0, 1, 1]);
  });

  it('NaN is never preferred', () => {
    const values = Float32Array.of(Number.NaN, -5, 3, Number.NEGATIVE_INFINITY);
    expect([...largest(values, 3)]).toEqual([0, 1, 1, 1]);
    expect([...largest(values, 4)]).toEqual([1, 1, 1, 1]);
    expect([...largest(values, 1, Float32Array.of(1, 0, 0, 0))]).toEqual([1, 0, 0, 0]);
  });
});

describe('a mask', () => {
  it('leaves what it covers, and 0 elsewhere, never −0', () => {
    expect([...clearGaps(Float32Array.of(-1, 2, -0, Number.NaN), Float32Array.of(0, 1, 0, 0))]).toEqual([
      0, 2, 0, 0,
    ]);
  });

  it('gathers the weights that are there', () => {
    const { values, places } = gather(Float32Array.of(5, -6, 7, 8), Float32Array.of(0, 1, 1, 0));
    expect([[...values], [...places]]).toEqual([
      [-6, 7],
      [1, 2],
    ]);
  });
});

describe('weights by layer', () => {
  const dims = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 })), {
    minLength: 1,
    maxLength: 8,
  });
  const sizeOf = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

  it.each([
    ['uniform', (l: { dims: number[] }[], n: number) => layerCounts(l, n, 'uniform')],
    ['erk', (l: { dims: number[] }[], n: number) => layerCounts(l, n, 'erk')],
    ['smart', smartCounts],
  ])('%s: exact to one weight, none above its size', (_, spread) => {
    fc.assert(
      fc.property(dims, fc.double({ min: 0, max: 1, noNaN: true }), (shapes, density) => {
        const layers = shapes.map(shape => ({ dims: shape }));
        const all = layers.reduce((sum, layer) => sum + sizeOf(layer.dims), 0);
        const total = Math.round(density * all);
        const counts = spread(layers, total);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(total);
        counts.forEach((count, i) => {
          expect(Number.isInteger(count) && count >= 0 && count <= sizeOf(layers[i]!.dims)).toBe(true);
        });
      }),
    );
  });

  it('uniform: each within one weight of its share', () => {
    fc.assert(
      fc.property(dims, fc.double({ min: 0, max: 1, noNaN: true }), (shapes, density) => {
        const layers = shapes.map(shape => ({ dims: shape }));
        const all = layers.reduce((sum, layer) => sum + sizeOf(layer.dims), 0);
        const total = Math.round(density * all);
        layerCounts(layers, total, 'uniform').forEach((count, i) => {
          expect(Math.abs(count - (sizeOf(layers[i]!.dims) * total) / all)).toBeLessThan(1);
        });
      }),
    );
  });

  it('erk: densities in the ratio of the paper, full layers aside', () => {
    const layers = [{ dims: [4, 3, 1, 1] }, { dims: [64, 64, 3, 3] }, { dims: [200, 300] }];
    const total = 9000;
    const [small, conv, fc1] = layerCounts(layers, total, 'erk') as [number, number, number];
    // 9000 · 9 / (9 + 134 + 500) would be 126: the layer is full, and the others share the rest.
    expect(small).toBe(12);
    expect(conv / fc1).toBeCloseTo(134 / 500, 2);
  });

  it('zero shares: what is left goes by room', () => {
    expect(apportion(5, [0, 0], [2, 8])).toEqual([1, 4]);
    expect(apportion(6, [1, 0], [2, 8])).toEqual([2, 4]);
    expect(() => apportion(11, [1, 1], [2, 8])).toThrow(/11 weights do not fit into 10 places/);
  });
});

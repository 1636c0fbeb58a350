import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cp, cp, type Tucker2, tucker2 } from '../../src/linalg/index.js';
import { fold, type Multiway, unfold } from '../../src/linalg/unfold.js';
import { gaussian, lossOfOrthogonality, orthonormal } from './matrices.js';

const sizeOf = (dims: readonly number[]) => dims.reduce((x, y) => x * y, 1);

const random = (dims: readonly number[], seed = 1): Multiway => ({
  data: gaussian(1, sizeOf(dims), seed).data,
  dims,
});

const difference = (a: Multiway, b: Multiway): number =>
  Math.hypot(...Array.from(a.data, (x, i) => x - b.data[i]!)) / Math.hypot(...a.data);

/** Σ outputs · core · inputs by its definition. */
function expandTucker({ outputs, inputs, core }: Tucker2): Multiway {
  const [p, q, ...rest] = core.dims as [number, number, ...number[]];
  const space = sizeOf(rest);
  const data = new Float64Array(outputs.rows * inputs.rows * space);
  for (let o = 0; o < outputs.rows; o++) {
    for (let i = 0; i < inputs.rows; i++) {
      for (let a = 0; a < p; a++) {
        for (let b = 0; b < q; b++) {
          const factor = outputs.data[o * p + a]! * inputs.data[i * q + b]!;
          for (let x = 0; x < space; x++) {
            data[(o * inputs.rows + i) * space + x]! += factor * core.data[(a * q + b) * space + x]!;
          }
        }
      }
    }
  }
  return { data, dims: [outputs.rows, inputs.rows, ...rest] };
}

/** Σ weights · outer products by its definition. */
function expandCp({ weights, factors }: Pick<Cp, 'weights' | 'factors'>): Multiway {
  const dims = factors.map(({ rows }) => rows);
  const data = Float64Array.from({ length: sizeOf(dims) }, (_, flat) =>
    weights.reduce((sum, weight, r) => {
      let index = flat;
      let product = weight;
      for (let axis = dims.length - 1; axis >= 0; axis--) {
        const { data: factor, cols } = factors[axis]!;
        product *= factor[(index % dims[axis]!) * cols + r]!;
        index = Math.floor(index / dims[axis]!);
      }
      return sum + product;
    }, 0),
  );
  return { data, dims };
}

describe('unfold', () => {
  it('is undone by fold', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        (dims, pick) => {
          const tensor = random(dims);
          const axis = pick % dims.length;
          const matrix = unfold(tensor, axis);
          expect([matrix.rows, matrix.cols]).toEqual([dims[axis], sizeOf(dims) / dims[axis]!]);
          expect(fold(matrix, dims, axis)).toEqual(tensor.data);
        },
      ),
    );
  });
});

describe('tucker2', () => {
  it('finds an exact decomposition', () => {
    const core = random([3, 2, 3, 3], 5);
    const made = {
      outputs: orthonormal(12, 3, 1),
      inputs: orthonormal(10, 2, 2),
      core,
    } as unknown as Tucker2;
    const kernel = expandTucker(made);
    const found = tucker2(kernel, [3, 2]);
    expect(found.core.dims).toEqual([3, 2, 3, 3]);
    expect(found.error).toBeLessThan(1e-7);
    expect(difference(kernel, expandTucker(found))).toBeLessThan(1e-13);
  });

  it('keeps everything at full rank, and says its error otherwise', () => {
    const kernel = random([8, 6, 3, 3]);
    let previous = Number.POSITIVE_INFINITY;
    for (const ranks of [
      [1, 1],
      [3, 2],
      [6, 5],
      [8, 6],
    ] as const) {
      const found = tucker2(kernel, ranks);
      expect(found.error).toBeCloseTo(difference(kernel, expandTucker(found)), 7);
      expect(found.error).toBeLessThan(previous);
      expect(lossOfOrthogonality(found.outputs)).toBeLessThan(1e-13);
      expect(lossOfOrthogonality(found.inputs)).toBeLessThan(1e-13);
      previous = found.error;
    }
    expect(previous).toBeLessThan(1e-7);
  });

  it('never loses by iterating', () => {
    const kernel = random([9, 7, 3, 3], 3);
    const errors = [0, 1, 5].map(iterations => tucker2(kernel, [3, 3], { iterations }).error);
    expect(errors[1]).toBeLessThanOrEqual(errors[0]! + 1e-12);
    expect(errors[2]).toBeLessThanOrEqual(errors[1]! + 1e-12);
  });

  it('rejects what does not fit', () => {
    expect(() => tucker2(random([4, 3, 1, 1]), [5, 1])).toThrow('ranks[0] is 5');
    expect(() => tucker2({ data: new Float32Array(5), dims: [2, 3] }, [1, 1])).toThrow('needs 6 elements');
    expect(tucker2({ data: new Float32Array(8), dims: [2, 4, 1, 1] }, [1, 1]).error).toBe(0);
  });
});

describe('cp', () => {
  it('finds an exact decomposition, its weights in order', () => {
    const made = {
      weights: Float64Array.of(5, 2, 1),
      factors: [orthonormal(8, 3, 1), orthonormal(7, 3, 2), orthonormal(5, 3, 3)],
    };
    const tensor = expandCp(made);
    const found = cp(tensor, 3);
    expect(found.error).toBeLessThan(1e-6);
    expect(difference(tensor, expandCp(found))).toBeCloseTo(found.error, 9);
    found.weights.forEach((weight, r) => expect(Math.abs(weight)).toBeCloseTo(made.weights[r]!, 4));
    for (const factor of found.factors) {
      for (let r = 0; r < 3; r++) {
        let square = 0;
        for (let i = 0; i < factor.rows; i++) square += factor.data[i * 3 + r]! ** 2;
        expect(square).toBeCloseTo(1, 12);
      }
    }
  });

  it('equals the truncated SVD for two axes', () => {
    const tensor = random([9, 7], 4);
    const found = cp(tensor, 7);
    expect(found.error).toBeLessThan(1e-6);
  });

  it('improves with the rank and says its error, for four axes', () => {
    const kernel = random([6, 5, 3, 3], 5);
    let previous = 1;
    for (const rank of [1, 4, 12]) {
      const found = cp(kernel, rank);
      expect(found.error).toBeCloseTo(difference(kernel, expandCp(found)), 9);
      expect(found.error).toBeLessThan(previous);
      previous = found.error;
    }
  });

  it('takes a rank above every dimension, the same bits each time', () => {
    const tensor = random([3, 3, 3], 6);
    const one = cp(tensor, 5, { seed: 2 });
    expect(cp(tensor, 5, { seed: 2 })).toEqual(one);
    expect(one.factors.map(({ cols }) => cols)).toEqual([5, 5, 5]);
  });

  it('rejects what does not fit', () => {
    expect(() => cp(random([4]), 1)).toThrow('has one axis');
    expect(() => cp(random([2, 2]), 0)).toThrow('rank is 0');
    expect(() => cp({ data: Float64Array.of(1, Number.NaN), dims: [1, 2] }, 1)).toThrow('NaN');
    expect(cp({ data: new Float64Array(8), dims: [2, 2, 2] }, 1).error).toBe(0);
  });
});

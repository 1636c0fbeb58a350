import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromMatrix, permute, toMatrix } from '../../src/compress/matrix.js';
import { Tensor } from '../../src/graph/tensor.js';

const shaped = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }).chain(dims =>
  fc.tuple(
    fc.constant(dims),
    fc.shuffledSubarray(
      dims.map((_, i) => i),
      { minLength: dims.length },
    ),
  ),
);

describe('permute', () => {
  it('moves every element to where its index says', () => {
    fc.assert(
      fc.property(shaped, ([dims, perm]) => {
        const size = dims.reduce((a, b) => a * b, 1);
        const data = Float32Array.from({ length: size }, (_, i) => i);
        const result = permute(data, dims, perm);
        const outDims = perm.map(axis => dims[axis]!);
        for (let i = 0; i < size; i++) {
          const index = new Array<number>(dims.length);
          let rest = i;
          for (let axis = dims.length - 1; axis >= 0; axis--) {
            index[axis] = rest % outDims[axis]!;
            rest = Math.floor(rest / outDims[axis]!);
          }
          let source = 0;
          for (let axis = 0; axis < dims.length; axis++)
            source = source * dims[axis]! + index[perm.indexOf(axis)]!;
          expect(result[i]).toBe(data[source]);
        }
      }),
    );
  });

  it('is undone by fromMatrix', () => {
    fc.assert(
      fc.property(shaped, ([dims, perm]) => {
        const size = dims.reduce((a, b) => a * b, 1);
        const data = Float32Array.from({ length: size }, (_, i) => i);
        const layout = { perm, split: 1 };
        const matrix = toMatrix(Tensor.float32(dims, data), layout);
        expect(matrix.rows).toBe(dims[perm[0]!]);
        expect([...fromMatrix(matrix.data, dims, layout)]).toEqual([...data]);
      }),
    );
  });
});

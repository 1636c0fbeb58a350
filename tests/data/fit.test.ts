import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSample, convertTo, fitArray, shapeFits, type TensorInfo } from '../../src/data/index.js';
import { Tensor } from '../../src/graph/index.js';

const ids: TensorInfo = { name: 'ids', dtype: 'int64', shape: ['batch', 'seq'] };
const mask: TensorInfo = { name: 'mask', dtype: 'int64', shape: ['batch', 'seq'] };
const image: TensorInfo = { name: 'x', dtype: 'float32', shape: [1, 3, 'h', 'w'] };
const zeros = (dtype: 'float32' | 'int64', dims: number[]) =>
  Tensor.fromNumbers(dtype, dims, new Float32Array(dims.reduce((a, b) => a * b, 1)));

describe('checkSample', () => {
  it('names file, input, the expected and the given', () => {
    expect(() => checkSample({ x: zeros('float32', [1, 4, 8, 8]) }, [image], 'a.npy')).toThrow(
      'the input takes float32 [1, 3, h, w], given is float32 [1, 4, 8, 8] (file a.npy, value "x")',
    );
    expect(() => checkSample({ x: zeros('int64', [1, 3, 8, 8]) }, [image])).toThrow(/given is int64/);
    expect(() => checkSample({}, [image])).toThrow(/nothing is given for input "x"/);
    expect(() => checkSample({ ids: zeros('int64', [1, 2]), y: zeros('int64', [1]) }, [ids])).toThrow(
      /no input "y".*It has ids/,
    );
  });

  it('finds NaN', () => {
    const bad = Tensor.float32([1, 3, 1, 1], [0, Number.NaN, 0]);
    expect(() => checkSample({ x: bad }, [image], 'n.npy')).toThrow(/NaN, first at element 1 \(file n.npy/);
    const minusInfinity = Tensor.float32([1, 3, 1, 1], [0, Number.NEGATIVE_INFINITY, 0]);
    expect(() => checkSample({ x: minusInfinity }, [image])).not.toThrow();
  });

  it('wants one size for one name', () => {
    const sample = { ids: zeros('int64', [1, 5]), mask: zeros('int64', [1, 4]) };
    expect(() => checkSample(sample, [ids, mask])).toThrow('"seq" is 4 here, but 5 in input "ids"');
    const unnamed = { ...mask, shape: ['?', '?'] };
    expect(() => checkSample(sample, [ids, unnamed])).not.toThrow();
  });
});

describe('convertTo', () => {
  it('converts where the meaning stays', () => {
    expect(convertTo(Tensor.fromNumbers('float64', [1], [0.5]), image).toNumbers()).toEqual([0.5]);
    expect(convertTo(Tensor.fromNumbers('int32', [2], [-3, 7]), ids)).toMatchObject({ dtype: 'int64' });
  });

  it('refuses to guess', () => {
    expect(() => convertTo(Tensor.fromNumbers('uint8', [1], [255]), image, 'p.npy')).toThrow(
      /takes float32, the array is uint8 \(file p.npy, value "x"\). Normalise it/,
    );
    expect(() => convertTo(Tensor.float32([1], [1]), ids)).toThrow(/astype\("int64"\)/);
    const narrow: TensorInfo = { name: 'b', dtype: 'uint8', shape: [1] };
    expect(() => convertTo(Tensor.int64([300]), narrow)).toThrow(/holds 300, which uint8 cannot/);
  });
});

describe('fitArray', () => {
  it('takes whole arrays, adds a batch axis, or splits rows', () => {
    expect(fitArray([1, 3, 8, 8], image.shape, false)?.count).toBe(1);
    expect(fitArray([3, 8, 8], image.shape, false)?.count).toBe(1);
    expect(fitArray([5, 3, 8, 8], image.shape, false)?.count).toBe(5);
    expect(fitArray([5, 1, 3, 8, 8], image.shape, false)?.count).toBe(5);
    expect(fitArray([5, 7], ids.shape, false)?.count).toBe(1);
    expect(fitArray([5, 7], ids.shape, true)?.count).toBe(5);
    expect(fitArray([5, 4, 8, 8], image.shape, false)).toBeUndefined();
    expect(fitArray([7, 9], [2, 9], false)).toBeUndefined();
  });

  it('gives shapes that fit and loses no element', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constant(null)), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        (dims, shape, rows) => {
          const fit = fitArray(dims, shape, rows);
          if (!fit) return;
          const size = dims.reduce((a, b) => a * b, 1);
          const tensor = Tensor.float32(
            dims,
            Array.from({ length: size }, (_, i) => i),
          );
          const parts = Array.from({ length: fit.count }, (_, i) => fit.take(tensor, i));
          for (const part of parts) expect(shapeFits(part.dims, shape)).toBe(true);
          expect(parts.flatMap(part => part.toNumbers())).toEqual(tensor.toNumbers());
        },
      ),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { readNpz, writeNpz } from '../../src/data/npz.js';
import { arrayDataset } from '../../src/datasets/arrays.js';
import { subset } from '../../src/datasets/dataset.js';
import { Tensor } from '../../src/graph/tensor.js';

const x = Tensor.float32([4, 2], [0, 1, 10, 11, 20, 21, 30, 31]);
const labels = Tensor.int64([5, 6, 7, 8]);

describe('datasets of arrays', () => {
  it('pick rows, from .npz files too', async () => {
    const data = arrayDataset(Object.fromEntries(readNpz(writeNpz({ x, labels }))));
    expect(data.length).toBe(4);
    expect(data.fields).toEqual({
      x: { dtype: 'float32', shape: [2] },
      labels: { dtype: 'int64', shape: [] },
    });
    const batch = await data.batch([3, 0, 3]);
    expect(batch.x!.dims).toEqual([3, 2]);
    expect(batch.x!.toNumbers()).toEqual([30, 31, 0, 1, 30, 31]);
    expect(batch.labels!.toNumbers()).toEqual([8, 5, 8]);
  });

  it('have subsets', async () => {
    const part = subset(arrayDataset({ x, labels }), [2, 1]);
    expect(part.length).toBe(2);
    expect((await part.batch([1])).labels!.toNumbers()).toEqual([6]);
    await expect(part.batch([2])).rejects.toThrow(/examples 0 to 1, not 2/);
    expect(() => subset(arrayDataset({ x }), [4])).toThrow(/not 4/);
  });

  it('refuse arrays of different lengths', () => {
    expect(() => arrayDataset({ x, y: Tensor.scalar(1) })).toThrow(
      /"y" of shape \[\] does not hold 4 examples/,
    );
  });
});

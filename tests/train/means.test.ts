import { expect, it } from 'vitest';
import { Means } from '../../src/train/means.js';

it('means weigh batches, and leave out what does not count', () => {
  const means = new Means();
  expect(() => means.result()).toThrow(/nothing in the data set counts/);
  means.add({ loss: 2, accuracy: 1 }, 3);
  means.add({ loss: Number.NaN, accuracy: Number.NaN }, 0);
  means.add({ loss: 6, accuracy: 0 }, 1);
  expect(means.result()).toEqual({ loss: 3, accuracy: 0.75 });
});

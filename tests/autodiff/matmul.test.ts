import { describe, it } from 'vitest';
import { checkGradients } from './check.js';
import { Random } from './random.js';

const SHAPES: readonly [number[], number[]][] = [
  [
    [2, 3],
    [3, 4],
  ],
  [[3], [3]],
  [[3], [3, 2]],
  [[2, 3], [3]],
  [
    [2, 2, 3],
    [3, 4],
  ],
  [
    [2, 2, 3],
    [2, 3, 2],
  ],
  [
    [3, 1, 2, 3],
    [2, 3, 2],
  ],
  [
    [2, 3],
    [4, 3, 2],
  ],
  [[4, 2, 3], [3]],
  [[3], [2, 3, 2]],
  [
    [1, 1],
    [1, 1],
  ],
  [
    [0, 3],
    [3, 2],
  ],
  [
    [2, 0, 3],
    [3, 2],
  ],
];

describe('gradients of matrix products', () => {
  it.each(SHAPES)('MatMul of %j and %j', async (a, b) => {
    for (const symbolic of [false, true]) {
      await checkGradients(
        {
          variables: [
            { dims: a, symbolic },
            { dims: b, symbolic },
          ],
          build: (g, xs) => g.op('MatMul', xs),
          truth: 'float64',
        },
        new Random(1),
      );
    }
  });

  it.each([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ])('Gemm with transA %i and transB %i', async (transA, transB) => {
    for (const bias of [[4], [2, 1], [], [2, 4]]) {
      await checkGradients(
        {
          variables: [{ dims: transA ? [3, 2] : [2, 3] }, { dims: transB ? [4, 3] : [3, 4] }, { dims: bias }],
          build: (g, xs) => g.op('Gemm', xs, { transA, transB, alpha: 0.7, beta: 1.3 }),
          truth: 'float64',
        },
        new Random(2),
      );
    }
  });
});

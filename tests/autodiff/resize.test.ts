import { describe, it } from 'vitest';
import { type Builder, Tensor, type Value } from '../../src/graph/index.js';
import { checkGradients } from './check.js';
import { Random } from './random.js';

type Attributes = Record<string, string | number | number[]>;

const byScales = (b: Builder, x: Value, scales: number[], attributes: Attributes): Value =>
  b.op('Resize', [x, null, b.constant(Tensor.float32([scales.length], scales))], attributes);

const bySizes = (b: Builder, x: Value, sizes: number[], attributes: Attributes): Value =>
  b.op('Resize', [x, null, null, b.ints(sizes)], attributes);

const MODES: readonly Attributes[] = [
  { mode: 'nearest' },
  { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  { mode: 'nearest', coordinate_transformation_mode: 'align_corners', nearest_mode: 'ceil' },
  { mode: 'linear' },
  { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  { mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' },
  { mode: 'cubic', cubic_coeff_a: -0.5 },
];

describe('gradients of Resize', () => {
  it.each(MODES)('%j', async attributes => {
    for (const symbolic of [false, true]) {
      for (const [rows, columns] of [
        [2, 2],
        [1, 3],
        [0.6, 1.7],
      ] as const) {
        await checkGradients(
          {
            variables: [{ dims: [2, 1, 4, 3], symbolic }],
            build: (b, [x]) => byScales(b, x!, [1, 1, rows, columns], attributes),
            truth: 'multilinear',
          },
          new Random(1),
        );
      }
      await checkGradients(
        {
          variables: [{ dims: [1, 2, 4, 3], symbolic }],
          build: (b, [x]) => bySizes(b, x!, [1, 2, 7, 3], attributes),
          truth: 'multilinear',
        },
        new Random(2),
      );
    }
  });

  it.each([
    [[1, 1, 3, 1], [1, 1, 2.3, 1], { mode: 'nearest' }],
    [
      [1, 1, 3, 2],
      [1, 1, 2.3, 1],
      { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
    ],
    // 1.2 leaves the four rows four, but takes them from other places.
    [[1, 1, 4, 2], [1, 1, 1.2, 2], { mode: 'linear' }],
    [[1, 1, 4, 2], [1, 1, 1.2, 1], { mode: 'linear' }],
    [[1, 1, 4, 2], [1, 1, 1.2, 1.3], { mode: 'nearest', nearest_mode: 'ceil' }],
    [[0, 1, 4, 2], [1, 1, 2, 1], { mode: 'linear' }],
    [[2, 0, 4, 2], [1, 1, 2, 1], { mode: 'nearest' }],
  ] as const)('of %j by scales of %j, %j', async (dims, scales, attributes) => {
    for (const symbolic of [false, true]) {
      await checkGradients(
        {
          variables: [{ dims, symbolic }],
          build: (b, [x]) => byScales(b, x!, [...scales], attributes),
          truth: 'multilinear',
        },
        new Random(5),
      );
    }
  });

  it('of some axes, and of one dimension', async () => {
    await checkGradients(
      {
        variables: [{ dims: [1, 2, 3, 4] }],
        build: (b, [x]) => byScales(b, x!, [2, 0.5], { mode: 'linear', axes: [2, 3] }),
        truth: 'multilinear',
      },
      new Random(3),
    );
    await checkGradients(
      {
        variables: [{ dims: [2, 3] }],
        build: (b, [x]) => byScales(b, x!, [1, 2.5], { mode: 'linear' }),
        truth: 'multilinear',
      },
      new Random(4),
    );
  });
});

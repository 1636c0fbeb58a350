import { describe, it } from 'vitest';
import { checkGradients } from './check.js';
import { Random } from './random.js';

interface Row {
  readonly x: number[];
  readonly w: number[];
  readonly attributes?: Record<string, number | number[] | string>;
  readonly bias?: boolean;
}

const CONV: Record<string, Row> = {
  '1×1': { x: [2, 3, 4, 3], w: [2, 3, 1, 1] },
  '3×3, padded': { x: [2, 2, 4, 5], w: [3, 2, 3, 3], attributes: { pads: [1, 1, 1, 1] }, bias: true },
  'stride 2 with a remainder': {
    x: [1, 2, 6, 7],
    w: [2, 2, 3, 3],
    attributes: { strides: [2, 2], pads: [1, 0, 1, 2] },
  },
  '1×1 with stride 2': { x: [2, 2, 5, 4], w: [3, 2, 1, 1], attributes: { strides: [2, 2] } },
  dilated: { x: [1, 2, 7, 6], w: [2, 2, 3, 2], attributes: { dilations: [2, 3], pads: [2, 1, 1, 2] } },
  'dilated with strides': {
    x: [1, 1, 9, 8],
    w: [2, 1, 2, 3],
    attributes: { dilations: [3, 1], strides: [2, 3] },
  },
  'padding wider than the kernel': { x: [1, 1, 3, 3], w: [1, 1, 2, 2], attributes: { pads: [2, 2, 2, 2] } },
  groups: { x: [2, 4, 4, 3], w: [6, 2, 3, 3], attributes: { group: 2, pads: [1, 1, 1, 1] }, bias: true },
  depthwise: { x: [2, 3, 5, 4], w: [3, 1, 3, 3], attributes: { group: 3, pads: [1, 1, 1, 1] } },
  'depthwise with stride 2': {
    x: [2, 3, 6, 5],
    w: [3, 1, 3, 3],
    attributes: { group: 3, strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  'depthwise with a multiplier': { x: [1, 2, 4, 4], w: [4, 1, 3, 3], attributes: { group: 2 } },
  '1-D': { x: [2, 3, 7], w: [4, 3, 3], attributes: { pads: [1, 1], strides: [2] }, bias: true },
  '3-D': { x: [1, 2, 3, 4, 3], w: [2, 2, 2, 2, 2] },
  'auto_pad SAME_UPPER': { x: [1, 2, 5, 6], w: [2, 2, 3, 2], attributes: { auto_pad: 'SAME_UPPER' } },
  'auto_pad SAME_LOWER': { x: [1, 2, 5, 6], w: [2, 2, 3, 2], attributes: { auto_pad: 'SAME_LOWER' } },
  'auto_pad VALID': { x: [1, 2, 5, 6], w: [2, 2, 3, 2], attributes: { auto_pad: 'VALID' } },
  'depthwise, no images': { x: [0, 3, 5, 5], w: [3, 1, 3, 3], attributes: { group: 3 }, bias: true },
  'a batch of 1 pixel': { x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
};

const SAME_STRIDED: Row = {
  x: [1, 2, 5, 6],
  w: [2, 2, 3, 2],
  attributes: { auto_pad: 'SAME_UPPER', strides: [2, 3] },
};

describe('gradients of Conv', () => {
  it.each(Object.entries(CONV))('%s', async (_, row) => {
    for (const symbolic of [false, true]) await check('Conv', row, symbolic);
  });

  it('auto_pad with strides', async () => {
    await check('Conv', SAME_STRIDED, false);
  });
});

const TRANSPOSED: Record<string, Row> = {
  plain: { x: [2, 3, 3, 2], w: [3, 2, 3, 3], bias: true },
  'stride 2': { x: [1, 2, 3, 4], w: [2, 3, 3, 2], attributes: { strides: [2, 2], pads: [1, 0, 1, 1] } },
  'output padding': {
    x: [1, 2, 3, 2],
    w: [2, 1, 3, 3],
    attributes: { strides: [3, 2], pads: [1, 1, 1, 1], output_padding: [2, 1] },
  },
  'dilated groups': { x: [2, 4, 3, 3], w: [4, 1, 2, 2], attributes: { group: 2, dilations: [2, 1] } },
  '1-D': { x: [2, 2, 5], w: [2, 3, 4], attributes: { strides: [2], pads: [1, 1] } },
  'auto_pad SAME_UPPER': {
    x: [1, 1, 3, 4],
    w: [1, 2, 4, 3],
    attributes: { strides: [1, 2], auto_pad: 'SAME_UPPER' },
  },
  'auto_pad SAME_LOWER': {
    x: [1, 1, 3, 4],
    w: [1, 2, 4, 3],
    attributes: { strides: [1, 2], auto_pad: 'SAME_LOWER' },
  },
  output_shape: { x: [1, 1, 3, 3], w: [1, 2, 3, 3], attributes: { strides: [2, 2], output_shape: [6, 6] } },
};

describe('gradients of ConvTranspose', () => {
  it.each(Object.entries(TRANSPOSED))('%s', async (_, row) => {
    await check('ConvTranspose', row, false);
  });
});

async function check(op: string, { x, w, attributes = {}, bias }: Row, symbolic: boolean): Promise<void> {
  const filters = op === 'Conv' ? w[0]! : w[1]! * ((attributes.group as number) ?? 1);
  await checkGradients(
    {
      variables: [{ dims: x, symbolic }, { dims: w }, ...(bias ? [{ dims: [filters] }] : [])],
      build: (b, xs) => b.op(op, xs, attributes),
      truth: 'multilinear',
    },
    new Random(1),
  );
}

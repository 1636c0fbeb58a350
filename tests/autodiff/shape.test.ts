import { describe, it } from 'vitest';
import type { Builder, Value } from '../../src/graph/index.js';
import { checkGradients } from './check.js';
import { Random } from './random.js';

type Row = readonly [
  name: string,
  dims: number[],
  build: (b: Builder, x: Value) => Value | Value[],
  opset?: number,
];

const outputs = (node: ReturnType<Builder['node']>): Value[] => node.outputs.map(o => o!);

const ROWS: readonly Row[] = [
  ['Reshape', [2, 6], (b, x) => b.op('Reshape', [x, b.ints([3, -1])])],
  ['Reshape that copies', [2, 3, 2], (b, x) => b.op('Reshape', [x, b.ints([0, -1])])],
  ['Flatten', [2, 3, 2], (b, x) => b.op('Flatten', [x], { axis: 2 })],
  ['Squeeze', [2, 1, 3, 1], (b, x) => b.squeeze(x, [1])],
  ['Unsqueeze', [2, 3], (b, x) => b.unsqueeze(x, [0, -1])],
  ['Transpose', [2, 3, 4], (b, x) => b.op('Transpose', [x], { perm: [2, 0, 1] })],
  ['Transpose by default', [2, 3], (b, x) => b.op('Transpose', [x])],
  ['Expand', [2, 1], (b, x) => b.op('Expand', [x, b.ints([3, 1, 4])])],
  ['Tile', [2, 3], (b, x) => b.op('Tile', [x, b.ints([2, 3])])],
  ['Tile of nothing', [2, 0], (b, x) => b.op('Tile', [x, b.ints([2, 3])])],
  ['Identity', [2, 3], (b, x) => b.op('Identity', [x])],
  ['DepthToSpace', [2, 8, 1, 3], (b, x) => b.op('DepthToSpace', [x], { blocksize: 2 })],
  ['DepthToSpace CRD', [2, 8, 1, 3], (b, x) => b.op('DepthToSpace', [x], { blocksize: 2, mode: 'CRD' })],
  ['SpaceToDepth', [1, 2, 4, 2], (b, x) => b.op('SpaceToDepth', [x], { blocksize: 2 })],
  ['Cast there and back', [2, 3], (b, x) => b.mul(b.cast(b.cast(x, 'float64'), x.dtype!), 2)],
  ['Trilu', [2, 3, 3], (b, x) => b.op('Trilu', [x, b.scalar(1, 'int64')], { upper: 0 })],
  ['Slice', [4, 5], (b, x) => b.slice(x, [1, -3], [3, 2 ** 31], [0, 1])],
  ['Slice with steps', [7, 5], (b, x) => b.slice(x, [1, 4], [7, -100], [0, 1], [3, -2])],
  ['Slice backwards', [4, 5], (b, x) => b.slice(x, [2], [-100], [1], [-1])],
  ['Slice of nothing', [4, 5], (b, x) => b.slice(x, [3], [2], [1])],
  ['Split', [6, 2], (b, x) => outputs(b.node('Split', [x, b.ints([1, 3, 2])], { axis: 0 }, 3))],
  [
    'Split, one part used',
    [6, 2],
    (b, x) => b.node('Split', [x], { axis: 0, num_outputs: 3 }, 3).outputs[1]!,
  ],
  ['Pad', [2, 3], (b, x) => b.op('Pad', [x, b.ints([1, 0, 2, 3])])],
  ['Pad that crops', [2, 4], (b, x) => b.op('Pad', [x, b.ints([1, -1, 0, -2])])],
  ['Pad of some axes', [2, 3], (b, x) => b.op('Pad', [x, b.ints([1, 2]), null, b.ints([-1])])],
  ['Pad by reflection', [4, 3], (b, x) => b.op('Pad', [x, b.ints([2, 1, 1, 2])], { mode: 'reflect' })],
  ['Pad by edges', [2, 3], (b, x) => b.op('Pad', [x, b.ints([2, 1, 0, 2])], { mode: 'edge' })],
  ['Gather', [4, 3], (b, x) => b.op('Gather', [x, b.ints([0, 2, 2, -1])])],
  [
    'Gather of a table along axis 1',
    [2, 4, 3],
    (b, x) => b.op('Gather', [x, b.reshape(b.ints([3, 1, 1, 0, 2, 3]), [2, 3])], { axis: 1 }),
  ],
  ['Gather by int32', [4, 3], (b, x) => b.op('Gather', [x, b.cast(b.ints([0, 2, 2, -1]), 'int32')])],
  ['Gather of one', [4, 3], (b, x) => b.op('Gather', [x, b.scalar(2, 'int64')], { axis: 1 })],
  [
    'GatherElements',
    [3, 3],
    (b, x) => b.op('GatherElements', [x, b.reshape(b.ints([0, 1, 1, 2, 2, -1]), [2, 3])], { axis: 0 }),
  ],
  ['GatherND', [3, 2, 2], (b, x) => b.op('GatherND', [x, b.reshape(b.ints([0, 1, 2, 0, 0, 1]), [3, 2])])],
  ['ReverseSequence', [3, 2], (b, x) => b.op('ReverseSequence', [x, b.ints([2, 3])])],
];

describe('gradients of operators that move data', () => {
  for (const [name, dims, build] of ROWS) {
    it(name, async () => {
      for (const symbolic of [false, true]) {
        await checkGradients(
          { variables: [{ dims, symbolic }], build: (b, [x]) => build(b, x!), truth: 'float64' },
          new Random(1),
        );
      }
    });
  }

  it('Concat', async () => {
    for (const symbolic of [false, true]) {
      await checkGradients(
        {
          variables: [
            { dims: [2, 1], symbolic },
            { dims: [2, 3], symbolic },
            { dims: [2, 0], symbolic },
          ],
          build: (b, xs) => b.concat(xs, 1),
          truth: 'float64',
        },
        new Random(2),
      );
    }
  });

  it('Concat with a constant', async () => {
    await checkGradients(
      {
        variables: [{ dims: [2, 3] }],
        build: (b, [x]) => b.concat([b.fill(b.ints([2, 2]), 1, x!), x!], -1),
        truth: 'float64',
      },
      new Random(3),
    );
  });

  it('Pad by a value', async () => {
    await checkGradients(
      {
        variables: [{ dims: [2, 3] }, { dims: [] }],
        build: (b, [x, v]) => b.op('Pad', [x!, b.ints([1, 1, 0, 2]), v!]),
        truth: 'float64',
      },
      new Random(4),
    );
  });

  it.each(['none', 'add'])('ScatterND and ScatterElements, reduction %s', async reduction => {
    const random = new Random(5);
    await checkGradients(
      {
        variables: [{ dims: [4, 2] }, { dims: [2, 2] }],
        build: (b, [x, u]) => b.op('ScatterND', [x!, b.reshape(b.ints([3, 1]), [2, 1]), u!], { reduction }),
        truth: 'float64',
      },
      random,
    );
    await checkGradients(
      {
        variables: [{ dims: [3, 2] }, { dims: [1, 2] }],
        build: (b, [x, u]) =>
          b.op('ScatterElements', [x!, b.reshape(b.ints([2, 0]), [1, 2]), u!], { reduction, axis: 0 }),
        truth: 'float64',
      },
      random,
    );
  });

  it('the values of OneHot', async () => {
    await checkGradients(
      {
        variables: [{ dims: [2] }],
        build: (b, [values]) => b.op('OneHot', [b.ints([0, 2, 1]), b.scalar(4, 'int64'), values!]),
        truth: 'multilinear',
      },
      new Random(6),
    );
  });
});

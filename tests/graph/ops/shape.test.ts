import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../src/graph/tensor.js';
import { expectShapes } from './compare.js';

describe('shape operators', () => {
  it('have the shapes of the runtime', async () => {
    await expectShapes(
      c => {
        const { random } = c;
        const dims = random.shape(4, 1, 4);
        const [n, a, b, d] = dims as [number, number, number, number];
        const x = c.input(dims);
        c.op('Shape', [x]);
        c.op('Shape', [x], { start: random.int(-3, 3), end: random.int(-2, 4) });
        c.op('Size', [x]);
        c.op('Reshape', [x, c.ints(0, -1, d)]);
        c.op('Reshape', [x, c.ints(n * a, b, d)]);
        c.op('Reshape', [x, c.ints(-1)]);
        c.op('Reshape', [x, c.ints(0, 0, -1)]);
        c.op('Flatten', [x], { axis: random.int(-4, 4) });
        c.op('Unsqueeze', [x, c.ints(0, -1)]);
        c.op('Squeeze', [c.op('Unsqueeze', [x, c.ints(2)]), c.ints(2)]);
        c.op('Squeeze', [x]);
        c.op('Expand', [c.input([n, 1, d]), c.ints(b, 1, a, 1)]);
        c.op('Tile', [x, c.ints(...random.shape(4, 1, 3))]);
        c.op('Transpose', [x]);
        c.op('Transpose', [x], { perm: random.shuffle([0, 1, 2, 3]) });
        c.op('DepthToSpace', [c.input([n, 4 * a, b, d])], { blocksize: 2 });
        c.op('SpaceToDepth', [c.input([n, a, 2 * b, 2 * d])], { blocksize: 2 });
        c.op('Trilu', [c.input([n, a, b])]);
      },
      { seeds: 12 },
    );
  });

  it('follow sizes that the model computes', async () => {
    const known = await expectShapes(
      c => {
        const x = c.input(c.random.shape(3, 2, 6));
        const shape = c.op('Shape', [x]);
        const at = (i: number) => c.op('Gather', [shape, c.scalar(i)]);
        const batch = c.op('Unsqueeze', [at(0), c.ints(0)]);
        const tail = c.op('ReduceProd', [c.op('Slice', [shape, c.ints(1), c.ints(99), c.ints(0)])], {
          keepdims: 1,
        });
        c.op('Reshape', [x, c.op('Concat', [batch, tail], { axis: 0 })]);
        c.op('Reshape', [x, c.op('Concat', [batch, c.ints(-1)], { axis: 0 })]);
        c.op('Range', [c.scalar(0), at(1), c.scalar(1)]);
        c.op('Range', [c.scalar(3), c.op('Mul', [at(1), c.scalar(4)]), c.scalar(2)]);
        const half = c.op('Div', [c.op('Add', [at(2), c.scalar(1)]), c.scalar(2)]);
        c.op('ConstantOfShape', [c.op('Concat', [c.op('Unsqueeze', [half, c.ints(0)]), batch], { axis: 0 })]);
        c.op('Expand', [c.scalar(1, 'float32'), shape]);
        // The way PyTorch writes expand(n, -1, …): ones in the place of -1.
        const wish = c.op('Concat', [batch, c.ints(-1, -1)], { axis: 0 });
        const ones = c.op('ConstantOfShape', [c.ints(3)], { value: Tensor.int64([1]) });
        const open = c.op('Equal', [wish, c.op('Mul', [ones, c.scalar(-1)])]);
        c.op('Expand', [c.input([1, 4, 2]), c.op('Where', [open, ones, wish])]);
        // The way PyTorch writes the pads of an operator: reversed pairs.
        const pads = c.op('Concat', [c.ints(0, 1, 0, 0), c.ints(0, 2)], { axis: 0 });
        const pairs = c.op('Reshape', [pads, c.ints(-1, 2)]);
        const reversed = c.op('Slice', [pairs, c.ints(-1), c.ints(-9999), c.ints(0), c.ints(-1)]);
        c.op('Pad', [x, c.op('Reshape', [c.op('Transpose', [reversed]), c.ints(-1)])]);
        const scaled = c.op('Mul', [c.op('Cast', [at(2)], { to: 1 }), c.scalar(1.5, 'float32')]);
        const rounded = c.op('Cast', [c.op('Floor', [scaled])], { to: 7 });
        c.op('Tile', [c.input([1]), c.op('Unsqueeze', [rounded, c.ints(0)])]);
        const [first, rest] = c.graph.node(
          'Split',
          [shape, c.ints(1, 2)],
          { axis: 0 },
          { outputs: 2 },
        ).outputs;
        c.op('Reshape', [x, c.op('Concat', [rest!, first!], { axis: 0 })]);
        c.op('Resize', [c.op('Unsqueeze', [x, c.ints(0)]), null, c.floats(1, 1, 2, 3)]);
      },
      { seeds: 10 },
    );
    // All but the size that is multiplied by 1.5.
    expect(known).toBeGreaterThan(0.95);
  });

  it('take elements where the runtime takes them', async () => {
    await expectShapes(
      c => {
        const { random } = c;
        const dims = random.shape(3, 2, 5);
        const x = c.input(dims);
        const indices = c.input(random.shape(random.int(0, 2)), 'int64');
        c.op('Gather', [x, indices], { axis: random.int(-3, 2) });
        c.op('GatherElements', [x, c.input(random.shape(3, 1, 2), 'int64')], { axis: 1 });
        c.op('GatherND', [x, c.input([3, random.int(1, 3)], 'int64')]);
        c.op('GatherND', [c.input([2, 3, 4]), c.input([2, 1], 'int64')], { batch_dims: 1 });
        const first = c.graph.constant(Tensor.int64([0], [1, 1]));
        c.op('ScatterND', [x, first, c.input([1, ...dims.slice(1)])]);
        c.op('ScatterElements', [x, c.graph.constant(Tensor.int64([0], [1, 1, 1])), c.input([1, 1, 1])]);
        c.op('OneHot', [c.input(random.shape(2), 'int64'), c.scalar(4), c.floats(0, 1)], {
          axis: random.int(-1, 0),
        });
        c.op('Compress', [x, c.graph.constant(Tensor.fromNumbers('bool', [2], [1, 0]))], { axis: 1 });
        c.op('NonZero', [x]);
        c.op('EyeLike', [c.input([3, 4])], { dtype: 7 });
        c.graph.node('Unique', [c.input([6], 'int64')], {}, { outputs: 4 });
        // Elements of constant tensors
        const table = c.graph.constant(Tensor.int64([1, 2, 3, 4, 5, 6], [2, 3]));
        c.op('Gather', [table, c.ints(1, -1)], { axis: 1 });
        c.op('Transpose', [table]);
        c.op('Slice', [table, c.ints(1), c.ints(-9), c.ints(1), c.ints(-1)]);
      },
      { seeds: 10, dataDependent: ['NonZero', 'Unique'] },
    );
  });

  it('slice, split, join and pad', async () => {
    await expectShapes(
      c => {
        const { random } = c;
        const x = c.input(random.shape(3, 4, 9));
        c.op('Slice', [x, c.ints(1, 0), c.ints(-1, 2147483647), c.ints(0, 2)]);
        c.op('Slice', [x, c.ints(-3), c.ints(Number.MAX_SAFE_INTEGER), c.ints(1), c.ints(2)]);
        c.op('Slice', [x, c.ints(-1), c.ints(-2147483648), c.ints(2), c.ints(-1)]);
        c.op('Slice', [x, c.ints(1, 2), c.ints(3, 100)]);
        c.graph.node('Split', [x], { axis: 1, num_outputs: 2 }, { outputs: 2 });
        c.graph.node('Split', [c.input([7, 3]), c.ints(3, 4)], { axis: 0 }, { outputs: 2 });
        c.graph.node('Split', [c.input([7, 3])], { axis: 0, num_outputs: 3 }, { outputs: 3 });
        const [n, a, b] = random.shape(3) as [number, number, number];
        c.op('Concat', [c.input([n, a]), c.input([n, b]), c.weight([n, 2])], { axis: random.pick(1, -1) });
        c.op('Pad', [x, c.ints(1, 0, 2, 0, 3, 1)]);
        c.op('Pad', [x, c.ints(-1, 2), c.scalar(0, 'float32'), c.ints(-1)]);
        c.op('CenterCropPad', [x, c.ints(3, 10)], { axes: [0, 2] });
        c.op('ReverseSequence', [c.input([3, 2]), c.ints(1, 2)], { time_axis: 0, batch_axis: 1 });
      },
      { seeds: 10 },
    );
  });

  it('resize', async () => {
    await expectShapes(
      c => {
        const { random } = c;
        const dims = random.shape(4, 2, 7);
        const x = c.input(dims);
        c.op('Resize', [x, null, c.floats(1, 1, random.pick(0.5, 1.7, 2), random.pick(0.33, 3))], {
          mode: 'linear',
        });
        c.op('Resize', [x, null, null, c.ints(dims[0]!, dims[1]!, random.int(1, 9), random.int(1, 9))]);
        c.op('Resize', [x, null, null, c.ints(6, 9)], {
          axes: [2, 3],
          keep_aspect_ratio_policy: 'not_larger',
        });
        c.op('Resize', [x, null, null, c.ints(6, 9)], {
          axes: [2, 3],
          keep_aspect_ratio_policy: 'not_smaller',
        });
        c.op('GridSample', [x, c.input([dims[0]!, 3, 5, 2])]);
        c.op('AffineGrid', [c.input([2, 2, 3]), c.ints(2, 3, 5, 6)]);
      },
      { seeds: 12 },
    );
    await expectShapes(
      c => {
        const x = c.input(c.random.shape(4, 2, 5));
        c.op('Upsample', [x, c.floats(1, 1, 2, 3)]);
      },
      { opset: 9 },
    );
    await expectShapes(
      c => {
        const x = c.input(c.random.shape(4, 2, 5));
        c.op('Resize', [x, c.floats(1, 1, 2, 0.5)]);
      },
      { opset: 10 },
    );
  });

  it('cast and make constants', async () => {
    await expectShapes(c => {
      const x = c.input(c.random.shape(2));
      for (const to of [6, 7, 9, 10, 11]) c.op('Cast', [x], { to });
      c.op('CastLike', [x, c.input([1], 'int64')]);
      c.op('Constant', [], { value_floats: [1, 2.5] });
      c.op('Constant', [], { value_int: 3 });
      c.op('Constant', [], { value: Tensor.int64([1, 2], [1, 2]) });
      c.op('ConstantOfShape', [c.ints(2, 3)], { value: Tensor.int64([7]) });
      c.op('Range', [c.scalar(1, 'float32'), c.scalar(2.6, 'float32'), c.scalar(0.5, 'float32')]);
      c.op('Range', [c.scalar(5), c.scalar(0), c.scalar(-2)]);
      c.op('RandomNormal', [], { shape: [2, 3] });
      c.op('RandomUniformLike', [x]);
      c.op('Bernoulli', [c.op('Sigmoid', [x])], { dtype: 9 });
      c.op('Multinomial', [x], { sample_size: 4 });
    });
  });
});

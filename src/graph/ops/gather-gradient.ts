import type { Gradients, Vjp } from './vjp.js';

const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Each entry's gradient is added to the entry that was picked, as often as it was. */
const gather: Vjp = ({ build: b, gradient, node, input, shape }) => {
  const axis = axisOf(node.int('axis', 0), shape(0).length);
  return [b.scatterAdd(gradient, input(1), axis, b.sizesOf(input(0)), shape(1).length)];
};

const gatherElements: Vjp = ({ build: b, gradient, node, input }) => [
  b.op('ScatterElements', [b.zerosLike(input(0)), input(1), gradient], {
    axis: node.int('axis', 0),
    reduction: 'add',
  }),
];

const gatherNd: Vjp = ({ build: b, gradient, node, input, fail }) => {
  if (node.int('batch_dims', 0) > 0) fail('batch_dims are not supported', 'Move the batch into the indices');
  return [b.op('ScatterND', [b.zerosLike(input(0)), input(1), gradient], { reduction: 'add' })];
};

/** Overwritten elements have no gradient; the updates have that of the places they went to. */
const scatter =
  (gatherOp: string, scatterOp: string): Vjp =>
  ({ build: b, gradient, node, input, fail }) => {
    const reduction = node.string('reduction', 'none');
    const axis = gatherOp === 'GatherElements' ? { axis: node.int('axis', 0) } : {};
    const updates = b.op(gatherOp, [gradient, input(1)], axis);
    if (reduction === 'add') return [gradient, null, updates];
    if (reduction !== 'none') fail(`the reduction "${reduction}" has none`, 'Use "none" or "add"');
    const data = b.op(scatterOp, [gradient, input(1), b.zerosLike(input(2))], axis);
    return [data, null, updates];
  };

/** Each kept entry's gradient goes back to its place; without an axis the places are those of the flat tensor. */
const compress: Vjp = ({ build: b, gradient, node, input, shape }) => {
  const x = input(0);
  const kept = b.squeeze(b.op('NonZero', [input(1)]), [0]);
  const axis = node.int('axis');
  if (axis !== undefined) return [b.scatterAdd(gradient, kept, axisOf(axis, shape(0).length), b.sizesOf(x))];
  const size = x.fixedShape ? x.fixedShape.reduce((p, d) => p * d, 1) : b.unsqueeze(b.op('Size', [x]), [0]);
  return [b.reshapeLike(b.scatterAdd(gradient, kept, 0, [size]), x)];
};

/** values = (off, on): each is summed over where it stands. */
const oneHot: Vjp = ({ build: b, gradient: g, node, input }) => {
  const hot = b.op('OneHot', [input(0), input(1), b.concat([b.ints([0]), b.ints([1])], 0)], {
    axis: node.int('axis', -1),
  });
  const mask = b.cast(hot, 'bool');
  const all = (x: typeof g): typeof g => b.reshape(b.op('ReduceSum', [x], { keepdims: 0 }), [1]);
  return [null, null, b.concat([all(b.where(mask, 0, g)), all(b.where(mask, g, 0))], 0)];
};

export const gatheringGradients: Gradients = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  ScatterElements: scatter('GatherElements', 'ScatterElements'),
  ScatterND: scatter('GatherND', 'ScatterND'),
  OneHot: oneHot,
  Compress: compress,
  NonZero: () => [],
  EyeLike: () => [],
};

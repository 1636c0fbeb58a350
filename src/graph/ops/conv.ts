import { addDims, mulDims } from '../dims.js';
import { sizeOf } from '../tensor.js';
import type { Dim, Shape } from '../value.js';
import { formatShape } from './broadcast.js';
import { convolutionGradients } from './conv-gradient.js';
import {
  type CostContext,
  defineOp,
  type InferContext,
  macs,
  type OpCost,
  type OpDefinition,
} from './definition.js';
import { commonDType } from './elementwise.js';
import { withGradients } from './vjp.js';
import { readWindow, windowedDim } from './window.js';

/**
 * Output shape of a convolution of x (N, C, …spatial) with w (M, C/group, …kernel).
 * @throws by `context.fail` where channels, groups or ranks disagree
 */
export function convShape(
  context: InferContext,
  x: Shape | undefined,
  w: Shape | undefined,
): Shape | undefined {
  const rank = x?.length ?? w?.length;
  if (rank === undefined) return undefined;
  if (x && w && x.length !== w.length) {
    context.fail(`input ${formatShape(x)} and filter ${formatShape(w)} differ in rank`);
  }
  if (rank < 3) context.fail(`an input of rank ${rank} has no spatial axis`);
  const group = context.node.int('group', 1);
  const [channels, perGroup, filters] = [x?.[1], w?.[1], w?.[0]];
  if (typeof channels === 'number' && typeof perGroup === 'number' && channels !== perGroup * group) {
    context.fail(`input has ${channels} channels, the filter takes ${group} × ${perGroup}`);
  }
  if (typeof filters === 'number' && filters % group !== 0) {
    context.fail(`${filters} filters do not divide into ${group} groups`);
  }
  const kernel = w?.slice(2) ?? context.node.ints('kernel_shape') ?? new Array<null>(rank - 2).fill(null);
  const window = readWindow(context, kernel);
  return [
    x?.[0] ?? null,
    filters ?? null,
    ...kernel.map((_, axis) => windowedDim(context, window, axis, x?.[axis + 2] ?? null)),
  ];
}

/** Every output element takes one product with the filter's (C/group)·kernel weights. */
export const convCost =
  (weight: number) =>
  (context: CostContext): OpCost => {
    const w = context.shape(weight);
    return macs(sizeOf(context.outputShape(0)) * sizeOf(w.slice(1)));
  };

function transposedShape(context: InferContext): Shape | undefined {
  const x = context.shape(0);
  const w = context.shape(1); // (C, M/group, …kernel)
  if (!x && !w) return undefined;
  const rank = (x ?? w)!.length;
  if (x && w) {
    if (x.length !== w.length)
      context.fail(`input ${formatShape(x)} and filter ${formatShape(w)} differ in rank`);
    if (typeof x[1] === 'number' && typeof w[0] === 'number' && x[1] !== w[0]) {
      context.fail(`input has ${x[1]} channels, the filter takes ${w[0]}`);
    }
  }
  const node = context.node;
  const kernel: readonly Dim[] =
    w?.slice(2) ?? node.ints('kernel_shape') ?? new Array<null>(rank - 2).fill(null);
  const window = readWindow(context, kernel);
  const given = node.ints('output_shape');
  const outputPadding = node.ints('output_padding');
  const spatial = kernel.map((k, axis): Dim => {
    // `output_shape` may hold the spatial part alone or the whole shape.
    if (given && given.length > 0) return given[axis + given.length - kernel.length]!;
    const input = x?.[axis + 2] ?? null;
    const stride = window.strides[axis]!;
    if (typeof k !== 'number') return null;
    const reach = window.dilations[axis]! * (k - 1) + 1 + (outputPadding?.[axis] ?? 0);
    // SAME cuts down to stride·in, but does not fill up to it.
    const pads = window.pads
      ? window.pads[axis]! + window.pads[axis + kernel.length]!
      : Math.max(0, reach - stride);
    // stride·(in − 1) + reach − pads
    return addDims(mulDims(input, stride), reach - pads - stride);
  });
  return [x?.[0] ?? null, mulDims(w?.[1] ?? null, node.int('group', 1)), ...spatial];
}

const conv = defineOp({
  op: 'Conv',
  infer(context) {
    context.set(0, commonDType(context, [0, 1, 2]), convShape(context, context.shape(0), context.shape(1)));
  },
  cost: convCost(1),
});

const convTranspose = defineOp({
  op: 'ConvTranspose',
  infer(context) {
    context.set(0, commonDType(context, [0, 1, 2]), transposedShape(context));
  },
  cost(context) {
    // Every input element is multiplied with the (M/group)·kernel weights of its channel.
    return macs(sizeOf(context.shape(0)) * sizeOf(context.shape(1).slice(1)));
  },
});

const deformConv = defineOp({
  op: 'DeformConv',
  infer(context) {
    context.set(0, context.dtype(0), convShape(context, context.shape(0), context.shape(1)));
  },
  cost: convCost(1),
});

const col2Im = defineOp({
  op: 'Col2Im',
  infer(context) {
    const x = context.shape(0); // (N, C·block, L)
    const image = context.elements(1);
    const block = context.numbers(2);
    const blockSize = block ? sizeOf(block) : null;
    const channels = x?.[1];
    context.set(
      0,
      context.dtype(0),
      image && [
        x?.[0] ?? null,
        typeof channels === 'number' && blockSize ? channels / blockSize : null,
        ...image.values,
      ],
    );
  },
});

export const convolution: readonly OpDefinition[] = withGradients(
  [conv, convTranspose, deformConv, col2Im],
  convolutionGradients,
);

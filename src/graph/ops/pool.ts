import { sizeOf } from '../tensor.js';
import type { Shape } from '../value.js';
import {
  type CostContext,
  defineOp,
  defineOps,
  flops,
  type InferContext,
  type OpDefinition,
} from './definition.js';
import { poolingGradients } from './pool-gradient.js';
import { withGradients } from './vjp.js';
import { readWindow, windowedDim } from './window.js';

function pooledShape(context: InferContext): Shape | undefined {
  const x = context.shape(0);
  const kernel = context.node.ints('kernel_shape', []);
  if (!x) return undefined;
  if (kernel.length !== x.length - 2) {
    context.fail(`kernel_shape has ${kernel.length} entries for ${x.length - 2} spatial axes`);
  }
  const window = readWindow(context, kernel);
  const ceil = context.node.int('ceil_mode', 0) !== 0;
  return [x[0]!, x[1]!, ...kernel.map((_, axis) => windowedDim(context, window, axis, x[axis + 2]!, ceil))];
}

const windowCost = (context: CostContext): ReturnType<typeof flops> =>
  flops(sizeOf(context.outputShape(0)) * sizeOf(context.node.ints('kernel_shape', [])));

const maxPool = defineOp({
  op: 'MaxPool',
  infer(context) {
    const shape = pooledShape(context);
    context.set(0, context.dtype(0), shape);
    context.set(1, 'int64', shape);
  },
  cost: windowCost,
});

const averagePool = defineOps('AveragePool LpPool', {
  infer: context => context.set(0, context.dtype(0), pooledShape(context)),
  cost: windowCost,
});

const globalPool = defineOps('GlobalAveragePool GlobalMaxPool GlobalLpPool', {
  infer(context) {
    context.set(
      0,
      context.dtype(0),
      context.shape(0)?.map((dim, i) => (i < 2 ? dim : 1)),
    );
  },
  cost: context => flops(sizeOf(context.shape(0))),
});

const maxUnpool = defineOp({
  op: 'MaxUnpool',
  infer(context) {
    const x = context.shape(0);
    const given = context.elements(2);
    if (given) context.set(0, context.dtype(0), given.values);
    else if (context.has(2)) context.set(0, context.dtype(0), x && new Array<null>(x.length).fill(null));
    else {
      const kernel = context.node.ints('kernel_shape', []);
      const window = readWindow(context, kernel);
      const spatial = kernel.map((k, axis) => {
        const dim = x?.[axis + 2];
        const pads = window.pads ? window.pads[axis]! + window.pads[axis + kernel.length]! : 0;
        return typeof dim === 'number' ? (dim - 1) * window.strides[axis]! + k - pads : null;
      });
      context.set(0, context.dtype(0), x && [x[0]!, x[1]!, ...spatial]);
    }
  },
});

const maxRoiPool = defineOp({
  op: 'MaxRoiPool',
  infer(context) {
    const pooled = context.node.ints('pooled_shape', []);
    context.set(0, context.dtype(0), [
      context.shape(1)?.[0] ?? null,
      context.shape(0)?.[1] ?? null,
      ...pooled,
    ]);
  },
});

const roiAlign = defineOp({
  op: 'RoiAlign',
  infer(context) {
    context.set(0, context.dtype(0), [
      context.shape(1)?.[0] ?? null,
      context.shape(0)?.[1] ?? null,
      context.node.int('output_height', 1),
      context.node.int('output_width', 1),
    ]);
  },
});

export const pooling: readonly OpDefinition[] = withGradients(
  [maxPool, ...averagePool, ...globalPool, maxUnpool, maxRoiPool, roiAlign],
  poolingGradients,
);

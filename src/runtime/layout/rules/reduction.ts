import { Graph } from '../../../graph/graph.js';
import type { Node } from '../../../graph/node.js';
import { Tensor } from '../../../graph/tensor.js';
import type { Value } from '../../../graph/value.js';
import type { Factor } from '../factors.js';
import { imageDims, type Layout } from '../layout.js';
import type { Rule } from './rule.js';

/**
 * Sums and means of images, or of products of two, over batch and positions: means of forms, whose covariances a
 * convolution takes in one pass each. Means over the positions alone are an average pool.
 */
export const reduction: Rule = (node, layout) => {
  const x = node.inputs[0]!;
  const dims = imageDims(x);
  if (!dims || !layout.has(x)) return false;
  const axes = axesOf(node);
  const isSum = node.opType === 'ReduceSum';
  if (axes?.join() === '2,3') {
    const { b, statistics } = layout;
    const average = statistics.average(layout.blocked(x));
    const result = isSum ? b.mul(average, dims[2] * dims[3]) : average;
    layout.replace(node.output, b.reshape(result, node.output.fixedShape!));
    return true;
  }
  if (!isMean(node)) return false;
  const { forms, factors } = layout;
  const product = layout.productOf(x);
  const form = product ? undefined : layout.form(x);
  const mean = product ? forms.meanProduct(...product) : forms.mean(form!);
  const count = isSum ? dims[0] * dims[2] * dims[3] : 1;
  const result = asValue(layout, factors.mul(mean, count), node.output);
  if (form && !isSum) layout.noteMean(result, form);
  layout.replace(node.output, result);
  return true;
};

/** Whether a node sums or averages over batch and positions. */
export function isMean(node: Node): boolean {
  if (node.domain !== '' || (node.opType !== 'ReduceSum' && node.opType !== 'ReduceMean')) return false;
  return node.inputs[0]?.shape?.length === 4 && axesOf(node)?.join() === '0,2,3';
}

function axesOf(node: Node): number[] | undefined {
  const axes = node.inputs[1] ? Graph.constantOf(node.inputs[1])?.toNumbers() : node.ints('axes');
  return axes?.map(axis => (axis < 0 ? axis + 4 : axis)).sort((a, b) => a - b);
}

/** A factor in the shape of the value in whose place it comes. */
function asValue({ b }: Layout, factor: Factor, like: Value): Value {
  const shape = like.fixedShape!;
  if (typeof factor === 'number') {
    const count = shape.reduce((product, dim) => product * dim, 1);
    return b.constant(Tensor.float32(shape, new Float32Array(count).fill(factor)));
  }
  const size = factor.fixedShape!.reduce((product, dim) => product * dim, 1);
  const count = shape.reduce((product, dim) => product * dim, 1);
  return size === count ? b.reshape(factor, shape) : b.op('Expand', [factor, b.ints(shape)]);
}

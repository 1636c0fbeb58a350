import { imageDims } from '../layout.js';
import type { Rule } from './rule.js';
import { windowOf } from './window.js';

/** MaxPool without indices, and AveragePool. */
const pool =
  (opType: 'MaxPool' | 'AveragePool'): Rule =>
  (node, layout) => {
    const x = node.inputs[0];
    const dims = imageDims(node.output);
    const window = windowOf(node, node.ints('kernel_shape', []));
    if (!dims || !window || !layout.has(x) || node.outputs[1]) return false;
    const { kernel, strides, pads, dilations } = window;
    // What the last window counts as padding with ceil_mode is for the standard operator to say.
    if (node.int('ceil_mode', 0) !== 0 || dilations.some(d => d !== 1)) return false;
    const attributes = {
      kernel_shape: kernel,
      strides,
      pads,
      ...(opType === 'AveragePool' && { count_include_pad: node.int('count_include_pad', 0) }),
    };
    layout.define(node.output, layout.ops.pool(opType, layout.blocked(x), attributes, dims));
    return true;
  };

const globalAveragePool: Rule = (node, layout) => {
  const x = node.inputs[0];
  if (!imageDims(x) || !layout.has(x)) return false;
  layout.replace(node.output, layout.statistics.average(layout.blocked(x)));
  return true;
};

/** (N, C, 1, 1) spread over the positions, as the gradient of a global pool is. */
const expand: Rule = (node, layout) => {
  const x = node.inputs[0]!;
  const [from, to] = [imageDims(x), imageDims(node.output)];
  if (!from || !to || from[0] !== to[0] || from[1] !== to[1] || from[2] * from[3] !== 1) return false;
  layout.offer(node.output, () => {
    const { b, ops, block } = layout;
    const [n, c, h, w] = to;
    const channels = ops.padded(c);
    const blocks = b.reshape(b.pad(x, [0, 0, 0, 0, 0, channels - c, 0, 0]), [n, channels / block, 1, block]);
    const spread = b.op('Expand', [blocks, b.ints([n, channels / block, h * w, block])]);
    return { value: b.reshape(spread, [n, channels, h, w]), dims: to };
  });
  return false;
};

export const poolingRules: Readonly<Record<string, Rule>> = {
  MaxPool: pool('MaxPool'),
  AveragePool: pool('AveragePool'),
  GlobalAveragePool: globalAveragePool,
  Expand: expand,
};

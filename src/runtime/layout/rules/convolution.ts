import { imageDims, type Layout } from '../layout.js';
import type { ImageDims } from '../operators.js';
import type { Rule } from './rule.js';
import { windowOf } from './window.js';

/**
 * Conv of any number of channels, in one group, depthwise, or in groups of whole blocks. Standard images of fewer
 * channels than a block, such as the network's input, are read as they are.
 */
export const convolution: Rule = (node, layout) => {
  const [x, w, bias] = node.inputs;
  const [from, to, filter] = [imageDims(x), imageDims(node.output), imageDims(w)];
  if (!from || !to || !filter) return false;
  const window = windowOf(node, filter.slice(2));
  const order = window && orderOf(layout, from, filter, node.int('group', 1), layout.has(x));
  if (!order) return false;
  const { ops, filters } = layout;
  const direct = order === 'direct';
  const out: ImageDims = [to[0], ops.padded(to[1]), to[2], to[3]];
  const value = ops.conv(
    direct ? x! : layout.blocked(x!).value,
    direct || order === 'depthwise' ? filters.outputBlocked(w!) : filters.blocked(w!),
    out,
    {
      ...window,
      group: order === 'depthwise' ? ops.padded(from[1]) : node.int('group', 1),
      bias: bias ? filters.bias(bias) : undefined,
    },
  );
  layout.define(node.output, { value, dims: to });
  return true;
};

/** How the operator can read image and filter, if it can. */
function orderOf(
  { block }: Layout,
  [, channels]: ImageDims,
  [outputs, inputs]: ImageDims,
  group: number,
  isBlocked: boolean,
): 'blocked' | 'direct' | 'depthwise' | undefined {
  if (group === 1) return channels < block && !isBlocked ? 'direct' : 'blocked';
  if (group === channels && outputs === channels) return 'depthwise';
  return inputs % block === 0 && (outputs / group) % block === 0 ? 'blocked' : undefined;
}

import { Graph } from '../../graph/graph.js';
import type { Node, NodeInput } from '../../graph/node.js';
import { Tensor } from '../../graph/tensor.js';
import { type Change, replaceNode } from './change.js';

const isEmpty = (value: NodeInput | undefined): boolean => Graph.constantOf(value)?.size === 0;

/**
 * How version 10 chose the nearest pixel: ONNX left it open, and ONNX Runtime rounds down where it scales up, and up
 * where it scales down.
 */
function roundingOf(node: Node): 'floor' | 'ceil' | undefined {
  const scales = Graph.constantOf(node.inputs[1])?.toNumbers();
  if (scales?.every(scale => scale >= 1)) return 'floor';
  return scales?.every(scale => scale <= 1) ? 'ceil' : undefined;
}

/**
 * Upsample got its scales as an input in 9 and became Resize in 10, whose coordinates were put into words in 11;
 * from 13 on, what is not given is left out rather than empty.
 */
export const resize: Change[] = [
  {
    op: 'Upsample',
    version: 9,
    reads: ['scales'],
    apply: (node, context) => {
      const scales = Tensor.float32([node.floats('scales')?.length ?? 0], node.floats('scales') ?? []);
      node.attributes.delete('scales');
      node.setInputs([node.inputs[0] ?? null, context.constant(node, scales, 'scales')]);
    },
  },
  {
    op: 'Upsample',
    version: 10,
    reads: ['mode'],
    apply: node => {
      const mode = node.string('mode', 'nearest');
      replaceNode(node, 'Resize', node.inputs, { mode: mode === 'bilinear' ? 'linear' : mode });
    },
  },
  {
    op: 'Resize',
    version: 11,
    reads: ['mode'],
    refuse: node =>
      node.string('mode', 'nearest') === 'nearest' && !roundingOf(node)
        ? 'it scales up and down at once, or by scales that are not constant'
        : undefined,
    apply: (node, context) => {
      const [x = null, scales = null] = node.inputs;
      const rounding = roundingOf(node) ?? 'floor';
      node.setInputs([x, context.constant(node, Tensor.float32([0], []), 'roi'), scales]);
      node.setAttribute('coordinate_transformation_mode', 'asymmetric');
      node.setAttribute('nearest_mode', rounding);
    },
  },
  {
    op: 'Resize',
    version: 13,
    reads: ['coordinate_transformation_mode'],
    refuse: node =>
      node.string('coordinate_transformation_mode') === 'tf_half_pixel_for_nn'
        ? 'its coordinate transformation "tf_half_pixel_for_nn" was dropped'
        : undefined,
    apply: node => {
      node.setInputs(node.inputs.map((input, i) => (i > 0 && isEmpty(input) ? null : input)));
    },
  },
];

import type { Node } from '../../graph/node.js';
import { Tensor } from '../../graph/tensor.js';
import { type Change, type ChangeContext, setInputAt } from './change.js';

const dtypeOf = (node: Node, context: ChangeContext) => context.floatDtype(node.inputs[0] ?? node.output);

/** Widths and value became inputs in 11. */
export const pad: Change[] = [
  {
    op: 'Pad',
    version: 11,
    reads: ['pads', 'value'],
    refuse: (node, context) =>
      node.float('value', 0) !== 0 && !dtypeOf(node, context)
        ? 'the dtype of its input is not known'
        : undefined,
    apply: (node, context) => {
      const value = node.float('value', 0);
      const dtype = dtypeOf(node, context);
      context.moveToInput(node, 'pads', 1);
      node.attributes.delete('value');
      if (value === 0 || !dtype) return;
      setInputAt(node, 2, context.constant(node, Tensor.fromNumbers(dtype, [], [value]), 'value'));
    },
  },
];

import type { Node } from '../../graph/node.js';
import { Tensor } from '../../graph/tensor.js';
import { type Change, type ChangeContext, setInputAt } from './change.js';

const dtypeOf = (node: Node, context: ChangeContext) => context.floatDtype(node.inputs[0] ?? node.output);

/** The bounds became inputs, of the dtype of the data, in 11. */
export const clip: Change[] = [
  {
    op: 'Clip',
    version: 11,
    reads: ['min', 'max'],
    refuse: (node, context) => {
      const bounded = node.attributes.has('min') || node.attributes.has('max');
      return bounded && !dtypeOf(node, context) ? 'the dtype of its input is not known' : undefined;
    },
    apply: (node, context) => {
      const dtype = dtypeOf(node, context);
      ['min', 'max'].forEach((name, i) => {
        const bound = node.float(name);
        node.attributes.delete(name);
        if (bound === undefined || !dtype) return;
        setInputAt(node, i + 1, context.constant(node, Tensor.fromNumbers(dtype, [], [bound]), name));
      });
    },
  },
];

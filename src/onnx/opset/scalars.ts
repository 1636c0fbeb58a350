import { Tensor } from '../../graph/tensor.js';
import { type Change, setInputAt } from './change.js';

/** Single numbers that became inputs. */
export const scalarsToInput: Change[] = [
  {
    op: 'TopK',
    version: 10,
    reads: ['k'],
    apply: (node, context) => {
      setInputAt(node, 1, context.constant(node, Tensor.int64([node.int('k', 1)]), 'k'));
      node.attributes.delete('k');
    },
  },
  {
    op: 'DFT',
    version: 20,
    reads: ['axis'],
    apply: (node, context) => {
      setInputAt(node, 2, context.constant(node, Tensor.int64([node.int('axis', 1)], []), 'axis'));
      node.attributes.delete('axis');
    },
  },
];

import { Tensor } from '../../graph/tensor.js';
import { type Change, setInputAt, usesOutputsFrom } from './change.js';

/** The mask became boolean in 10; the ratio an input in 12. */
export const dropout: Change[] = [
  {
    op: 'Dropout',
    version: 10,
    refuse: node => (usesOutputsFrom(node, 1) ? 'its mask is used, which became boolean' : undefined),
    apply: node => {
      const mask = node.outputs[1];
      if (!mask) return;
      mask.type = undefined;
      mask.declared = false;
    },
  },
  {
    op: 'Dropout',
    version: 12,
    reads: ['ratio'],
    apply: (node, context) => {
      const ratio = node.float('ratio');
      node.attributes.delete('ratio');
      if (ratio !== undefined) setInputAt(node, 1, context.constant(node, Tensor.scalar(ratio), 'ratio'));
    },
  },
];

import type { Change } from './change.js';

/** Sizes became an input in 13; without them, 18 wants the number of parts. */
export const split: Change[] = [
  {
    op: 'Split',
    version: 13,
    reads: ['split'],
    apply: (node, context) => context.moveToInput(node, 'split', 1),
  },
  {
    op: 'Split',
    version: 18,
    apply: node => {
      if (!node.inputs[1]) node.setAttribute('num_outputs', node.outputs.length);
    },
  },
];

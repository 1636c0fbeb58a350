import { type Change, replaceNode, usesOutputsFrom } from './change.js';

/** 9 dropped statistics per activation (`spatial` = 0), 14 the outputs that meant training. */
export const batchNormalization: Change[] = [
  {
    op: 'BatchNormalization',
    version: 9,
    reads: ['spatial'],
    refuse: node =>
      node.int('spatial', 1) === 1 ? undefined : 'it has statistics per activation (spatial = 0)',
    apply: node => {
      node.attributes.delete('spatial');
    },
  },
  {
    op: 'BatchNormalization',
    version: 14,
    refuse: node => (usesOutputsFrom(node, 1) ? 'it is in training mode' : undefined),
    apply: node => {
      if (node.outputs.length === 1) return;
      const attributes = Object.fromEntries(node.attributes);
      replaceNode(node, node.opType, node.inputs, attributes, node.outputs.slice(0, 1));
    },
  },
];

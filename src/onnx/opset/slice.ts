import type { Change } from './change.js';

/** Bounds and axes became inputs in 10. */
export const slice: Change[] = [
  {
    op: 'Slice',
    version: 10,
    reads: ['starts', 'ends', 'axes'],
    apply: (node, context) => {
      ['starts', 'ends', 'axes'].forEach((name, i) => context.moveToInput(node, name, i + 1));
    },
  },
];

import { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import { Tensor } from '../../graph/tensor.js';
import type { Change } from './change.js';

const channelsOf = (node: Node): number | undefined => {
  const channels = node.inputs[0]?.shape?.[1];
  return typeof channels === 'number' ? channels : undefined;
};

/** Scale and bias, one number for each group, became one for each channel in 21. */
export const groupNormalization: Change[] = [
  {
    op: 'GroupNormalization',
    version: 21,
    reads: ['num_groups'],
    refuse: node => {
      if (!channelsOf(node)) return 'the number of its channels is not known';
      return Graph.constantOf(node.inputs[1]) && Graph.constantOf(node.inputs[2])
        ? undefined
        : 'its scale or bias is not constant';
    },
    apply: (node, context) => {
      const perGroup = channelsOf(node)! / node.int('num_groups', 1);
      for (const [index, name] of [
        [1, 'scale'],
        [2, 'bias'],
      ] as const) {
        const tensor = Graph.constantOf(node.inputs[index])!;
        const repeated = [...tensor.toNumbers()].flatMap(value => new Array<number>(perGroup).fill(value));
        const wide = Tensor.fromNumbers(tensor.dtype, [repeated.length], repeated);
        node.setInput(index, context.constant(node, wide, name));
      }
    },
  },
];

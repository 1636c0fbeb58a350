import { type Change, replaceNode } from './change.js';

/**
 * Before 13 these worked on the input flattened to two dimensions at `axis` (default 1), since then on `axis` alone
 * (default -1). Where `axis` is not known to be the last one, the flattening is written out.
 */
export const softmax: Change[] = ['Softmax', 'LogSoftmax', 'Hardmax'].map(op => ({
  op,
  version: 13,
  reads: ['axis'],
  apply: node => {
    const axis = node.int('axis', 1);
    const [x = null] = node.inputs;
    const rank = x?.shape?.length;
    if (axis === -1 || axis + 1 === rank) {
      node.setAttribute('axis', -1);
      return;
    }
    const graph = node.graph!;
    const name = node.label;
    const flat = graph.op('Flatten', [x], { axis }, { name: `${name}.flat` });
    const result = graph.op(op, [flat], { axis: -1 }, { name: `${name}.rows` });
    const shape = graph.op('Shape', [x], {}, { name: `${name}.shape` });
    replaceNode(node, 'Reshape', [result, shape], {});
  },
}));

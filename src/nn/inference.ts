import type { Node } from '../graph/node.js';
import { removeDead } from '../graph/rewrite/index.js';
import { cloneNetwork } from './clone.js';
import type { Network } from './network.js';

/**
 * The inference form of a network: BatchNorm uses its running statistics, dropout is gone. The parameters keep their
 * names and present tensors, so that a step's results can be put in with `setTensor`.
 */
export function toInference(network: Network): Network {
  const copy = cloneNetwork(network, false);
  copy.updates.clear();
  for (const node of [...copy.graph.nodes]) {
    if (node.opType === 'BatchNormalization' && node.int('training_mode', 0) === 1)
      useRunningStatistics(node);
    // Dropout does nothing where it is not told that this is training.
    if (node.opType === 'Dropout') node.graph!.replaceUses(node.output, node.inputs[0]!);
  }
  removeDead(copy.graph);
  return copy;
}

function useRunningStatistics(node: Node): void {
  const graph = node.graph!;
  const name = node.name;
  node.name = '';
  const output = graph.op(
    'BatchNormalization',
    node.inputs,
    { epsilon: node.float('epsilon', 1e-5), momentum: node.float('momentum', 0.9) },
    { name },
  );
  output.type = node.output.type;
  graph.replaceUses(node.output, output);
}

import { graphCost } from '../graph/cost.js';
import { WhittleError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Value } from '../graph/value.js';
import type { Tensors } from '../runtime/index.js';

/**
 * Floating-point operations of one run of both models on a sample. What depends on constants alone is left out: ONNX
 * Runtime computes it once, when it loads the model.
 * @returns `undefined` where an operator's cost is not known
 */
export function costOfRun(
  before: Model,
  after: Model,
  sample: Tensors,
): { before: number; after: number } | undefined {
  const [a, b] = [flopsOf(before, sample), flopsOf(after, sample)];
  return a === undefined || b === undefined ? undefined : { before: a, after: b };
}

function flopsOf(model: Model, sample: Tensors): number | undefined {
  const inputShapes = Object.fromEntries(Object.entries(sample).map(([name, { dims }]) => [name, dims]));
  try {
    const { nodes, unknown } = graphCost(model, { inputShapes });
    const folded = new Set<Value>();
    let flops = 0;
    for (const { node, flops: own } of nodes) {
      const inputs = node.inputs.filter(input => input !== null);
      const constant = inputs.every(input => folded.has(input) || Graph.constantOf(input) !== undefined);
      if (!constant || node.subgraphs.length > 0) {
        if (unknown.includes(node)) return undefined;
        flops += own;
        continue;
      }
      for (const output of node.outputs) if (output) folded.add(output);
    }
    return flops;
  } catch (error) {
    if (error instanceof WhittleError) return undefined;
    throw error;
  }
}

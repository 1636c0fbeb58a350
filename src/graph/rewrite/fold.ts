import { isFloat } from '../dtype.js';
import type { Graph } from '../graph.js';
import { analyzeShapes, type ShapeAnalysis } from '../infer/index.js';
import type { Model } from '../model.js';
import { OPS, type OpRegistry } from '../ops/index.js';
import { Tensor } from '../tensor.js';
import { removeDead } from './dead.js';
import { type Evaluate, FoldPlan, handsOut, replaceByConstant } from './fold-plan.js';

/**
 * Replaces what depends on nothing but constants by its value, and sizes that inference knows by numbers; then
 * removes what is left without use. Nodes that hold subgraphs stay, and those that unpack compressed weights
 * (`DequantizeLinear`, `Cast` to a wider float); inside subgraphs it works as outside.
 * @returns how many values became constants
 */
export async function foldConstants(
  model: Model,
  evaluate: Evaluate,
  registry: OpRegistry = OPS,
): Promise<number> {
  const analysis = analyzeShapes(model, { registry });
  let count = foldSizes(model.graph, analysis);
  const plan = new FoldPlan(model, analysis, registry);
  const results = await plan.results(plan.nodes, evaluate);
  for (const [value, tensor] of results) replaceByConstant(value, tensor);
  count += results.size;
  removeDead(model.graph);
  return count;
}

/** Integer results whose elements inference knows, e.g. the shape of an input of fixed size. */
function foldSizes(graph: Graph, analysis: ShapeAnalysis): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    for (const inner of node.subgraphs) count += foldSizes(inner, analysis);
    const value = node.outputs[0];
    if (node.opType === 'Constant' || node.outputs.length !== 1 || !value || handsOut(node)) continue;
    const type = analysis.typeOf(value);
    const known = analysis.elementsOf(value);
    if (type?.kind !== 'tensor' || !type.dtype || isFloat(type.dtype) || !known) continue;
    if (value.uses.size === 0 && !graph.isOutput(value)) continue;
    if (!known.values.every(v => typeof v === 'number' && Number.isSafeInteger(v))) continue;
    replaceByConstant(value, Tensor.fromNumbers(type.dtype, known.dims, known.values as number[]));
    count++;
  }
  return count;
}

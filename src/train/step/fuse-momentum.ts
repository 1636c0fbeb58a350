import { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import type { Value } from '../../graph/value.js';

/**
 * Lets the product that makes a gradient add the momentum to it: A·B + μ·v is one `Gemm` with v as its third input,
 * where it would be a product and two more passes over tensors of the weights' size.
 * @returns how many were fused
 */
export function fuseMomentum(graph: Graph): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    if (node.opType !== 'Add' || node.domain !== '') continue;
    const [a, b] = node.inputs as [Value, Value];
    const fused = fuse(graph, node, a, b) ?? fuse(graph, node, b, a);
    if (fused) count++;
  }
  return count;
}

function fuse(graph: Graph, sum: Node, product: Value, scaled: Value): Value | undefined {
  const gemm = onlyFor(graph, product, 'Gemm');
  const scaling = onlyFor(graph, scaled, 'Mul');
  if (!gemm || !scaling || gemm.inputs[2]) return undefined;
  const [velocity, factor] = scaling.inputs as [Value, Value];
  const beta = Graph.constantOf(factor);
  const sameShape = String(velocity.fixedShape) === String(product.fixedShape);
  if (beta?.size !== 1 || !velocity.fixedShape || !sameShape) return undefined;
  const attributes = { transA: gemm.int('transA', 0), transB: gemm.int('transB', 0) };
  const fused = graph.op(
    'Gemm',
    [gemm.inputs[0]!, gemm.inputs[1]!, velocity],
    { ...attributes, alpha: gemm.float('alpha', 1), beta: beta.toNumbers()[0]! },
    { name: graph.freshName(`${sum.label}/fused`) },
  );
  fused.type = product.type;
  graph.replaceUses(sum.output, fused);
  for (const node of [sum, gemm, scaling]) graph.remove(node);
  return fused;
}

/** The node of this type that makes a value for a single use. */
function onlyFor(graph: Graph, value: Value, opType: string): Node | undefined {
  const node = value.producer;
  const uses = [...value.uses.values()].reduce((sum, n) => sum + n, 0);
  const fits = node?.opType === opType && node.domain === '' && uses === 1 && !graph.isOutput(value);
  return fits ? node : undefined;
}

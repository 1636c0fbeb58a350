import type { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import type { Builder } from '../../graph/ops/builder.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';

/**
 * Moves scale and bias of each LayerNormalization into the linear layers that alone read it: (n·γ + β)·R + c is
 * n·(γR) + (βR + c). The gradients of γ and β are then sums over weights, where they were products and sums over
 * activations, and the gradient of the input takes fewer passes.
 * @param b types what it adds
 * @returns how many were folded; those stay as they are whose weights are larger than their activations
 */
export function foldLayerNorm(b: Builder, graph: Graph): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    const products = node.opType === 'LayerNormalization' && node.domain === '' && readers(graph, node);
    if (!products) continue;
    const [, scale, bias] = node.inputs;
    for (const product of products) fold(b, graph, product, scale!, bias ?? undefined);
    const vector = (fill: number): Value =>
      graph.constant(Tensor.float32(scale!.fixedShape!, Array(scale!.fixedShape![0]).fill(fill)));
    node.setInput(1, vector(1));
    // ONNX Runtime 1.30 crashes where it fuses a sum with a normalization that has no bias.
    node.setInput(2, vector(0));
    count++;
  }
  return count;
}

/** The products that read a normalization; `undefined` where something else does, or it would not pay. */
function readers(graph: Graph, node: Node): Node[] | undefined {
  const [x, scale] = node.inputs;
  const [normal, ...statistics] = node.outputs;
  const shape = x?.fixedShape;
  const axis = node.int('axis', -1);
  const last = shape && (axis === -1 || axis === shape.length - 1);
  if (!last || scale?.dtype !== 'float32' || scale.fixedShape?.length !== 1 || graph.isOutput(normal!))
    return;
  if (statistics.some(value => value && (value.consumers.length > 0 || graph.isOutput(value)))) return;
  let width = 0;
  for (const reader of normal!.consumers) {
    const weight = reader.inputs[1]?.fixedShape;
    if (reader.opType !== 'MatMul' || reader.inputs[0] !== normal || weight?.length !== 2) return;
    if (reader.graph !== graph) return;
    width += weight[1]!;
  }
  const rows = shape.slice(0, -1).reduce((product, dim) => product * dim, 1);
  return width > 0 && rows >= width ? normal!.consumers : undefined;
}

function fold(b: Builder, graph: Graph, product: Node, scale: Value, bias: Value | undefined): void {
  const right = product.inputs[1]!;
  const transpose = right.producer?.opType === 'Transpose' ? right.producer : undefined;
  // The transpose stays next to the product, for ONNX Runtime to make them one.
  const scaled = transpose
    ? b.op('Transpose', [b.mul(transpose.inputs[0]!, scale)], { perm: [1, 0] })
    : b.mul(right, b.unsqueeze(scale, [1]));
  product.setInput(1, scaled);
  if (!bias) return;
  const shift = b.op('MatMul', [bias, right]);
  const [next, ...others] = product.output.consumers;
  const side = next?.opType === 'Add' && others.length === 0 ? next.inputs.indexOf(product.output) : -1;
  const constant = side < 0 ? undefined : next!.inputs[1 - side];
  if (constant?.fixedShape?.length === 1 && !graph.isOutput(product.output)) {
    next!.setInput(1 - side, b.add(constant, shift));
    return;
  }
  const readers = new Set(product.output.consumers);
  const sum = b.add(product.output, shift);
  for (const reader of readers) {
    reader.inputs.forEach((input, i) => {
      if (input === product.output) reader.setInput(i, sum);
    });
  }
}

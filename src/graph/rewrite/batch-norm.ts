import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import { Tensor } from '../tensor.js';
import { tensorType, type Value } from '../value.js';

/**
 * Writes BatchNormalization in training mode (opset 15 or newer) as sums and products, for providers that have it for
 * inference only, such as ONNX Runtime's WebGPU.
 * @returns how many were found
 */
export function expandBatchNorm(graph: Graph): number {
  let found = 0;
  for (const node of [...graph.nodes]) {
    if (node.opType !== 'BatchNormalization' || node.domain !== '') continue;
    if (node.int('training_mode', 0) === 0 || node.inputs[0]?.shape === undefined) continue;
    expand(graph, node);
    found++;
  }
  return found;
}

function expand(graph: Graph, node: Node): void {
  const [x, scale, bias, meanBefore, varianceBefore] = node.inputs as [Value, Value, Value, Value, Value];
  const [shape, dtype] = [x.shape!, x.dtype!];
  const statistics = shape.map((dim, axis) => (axis === 1 ? dim : 1));
  const op = (opType: string, inputs: Value[], dims = statistics, attributes = {}): Value => {
    const value = graph.op(opType, inputs, attributes, { name: graph.freshName(`${node.label}/${opType}`) });
    value.type = tensorType(dtype, dims);
    return value;
  };
  const number = (value: number): Value => graph.constant(Tensor.fromNumbers(dtype, [], [value]));
  const axes = graph.constant(Tensor.int64(shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]))));
  const column = graph.constant(Tensor.int64(shape.map((_, axis) => (axis === 1 ? -1 : 1))));
  const flat = graph.constant(Tensor.int64([-1]));
  const channels = shape.slice(1, 2);
  const mean = op('ReduceMean', [x, axes]);
  const centered = op('Sub', [x, mean], [...shape]);
  const variance = op('ReduceMean', [op('Mul', [centered, centered], [...shape]), axes]);
  const deviation = op('Sqrt', [op('Add', [variance, number(node.float('epsilon', 1e-5))])]);
  const factor = op('Div', [op('Reshape', [scale, column]), deviation]);
  const scaled = op('Mul', [centered, factor], [...shape]);
  graph.replaceUses(node.output, op('Add', [scaled, op('Reshape', [bias, column])], [...shape]));
  const momentum = node.float('momentum', 0.9);
  for (const [output, before, now] of [
    [node.outputs[1], meanBefore, mean],
    [node.outputs[2], varianceBefore, variance],
  ] as const) {
    if (!output) continue;
    const kept = op('Mul', [before, number(momentum)], channels);
    const added = op('Mul', [op('Reshape', [now, flat], channels), number(1 - momentum)], channels);
    graph.replaceUses(output, op('Add', [kept, added], channels));
  }
  graph.remove(node);
}

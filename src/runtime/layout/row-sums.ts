import { typedBuilder } from '../../graph/autodiff/index.js';
import { Graph } from '../../graph/graph.js';
import type { Model } from '../../graph/model.js';
import type { Node } from '../../graph/node.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';

export interface RowSumOptions {
  /** Sums of fewer bytes stay as they are; default 1 MiB. */
  readonly smallest?: number;
}

/**
 * Computes sums over the rows of large matrices, the gradients of biases, as products with a row of ones, in place:
 * ONNX Runtime shares a product among threads, and hardly such a sum.
 * @returns how many sums are products now
 */
export function multiplyRowSums(model: Model, { smallest = 1 << 20 }: RowSumOptions = {}): number {
  const { graph } = model;
  const found = [...graph.nodes].filter(node => isRowSum(node) && bytesOf(node.inputs[0]!) >= smallest);
  if (found.length === 0) return 0;
  const b = typedBuilder(model);
  b.scope = 'sums/';
  const ones = new Map<number, Value>();
  for (const node of found) {
    const x = node.inputs[0]!;
    const shape = x.fixedShape!;
    const width = shape.at(-1)!;
    const rows = sizeOf(shape) / width;
    if (!ones.has(rows))
      ones.set(rows, b.constant(Tensor.float32([1, rows], new Float32Array(rows).fill(1))));
    const sum = b.matmul(ones.get(rows)!, b.reshape(x, [rows, width]));
    graph.replaceUses(node.output, b.reshape(sum, node.output.fixedShape!));
    graph.remove(node);
  }
  graph.sort();
  return found.length;
}

/** Whether a node sums over all axes but the last, as gradients of biases do. */
export function isRowSum(node: Node): boolean {
  const axes = node.opType === 'ReduceSum' && Graph.constantOf(node.inputs[1])?.toNumbers();
  const rank = node.inputs[0]?.shape?.length;
  return axes !== false && axes?.length === rank! - 1 && axes.every(axis => axis >= 0 && axis < rank! - 1);
}

/** Bytes of a matrix of float32; 0 of what is none, or whose size is not known. */
function bytesOf({ dtype, fixedShape }: Value): number {
  return dtype === 'float32' && fixedShape && fixedShape.length > 1 ? 4 * sizeOf(fixedShape) : 0;
}

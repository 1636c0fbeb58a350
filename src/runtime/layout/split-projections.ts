import { typedBuilder } from '../../graph/autodiff/index.js';
import type { Graph } from '../../graph/graph.js';
import type { Model } from '../../graph/model.js';
import type { Node } from '../../graph/node.js';
import type { Builder } from '../../graph/ops/builder.js';
import { removeDead } from '../../graph/rewrite/index.js';
import type { Value } from '../../graph/value.js';
import { isRowSum } from './row-sums.js';

/**
 * Splits weights instead of activations, in place: where the result of a projection is split along its features, as
 * that of query, key and value is, each part gets a projection of its own; and where gradients of parts are put
 * together only to be multiplied, each is multiplied by itself. Weights are smaller than what they multiply.
 * @returns how many splits and concatenations of activations went
 */
export function splitProjections(model: Model): number {
  const { graph } = model;
  const found = [...graph.nodes].filter(node => node.opType === 'Split' || node.opType === 'Concat');
  if (found.length === 0) return 0;
  const b = typedBuilder(model);
  b.scope = 'split/';
  let count = 0;
  for (const node of found) {
    if (node.opType === 'Split' ? splitProjection(node, b) : multiplyParts(node, b)) count++;
  }
  removeDead(graph);
  return count;
}

/** Split(x·W + c) → x·Wᵢ + cᵢ */
function splitProjection(node: Node, b: Builder): boolean {
  const parts = node.outputs as readonly Value[];
  const sizes = parts.map(part => part?.shape?.at(-1));
  const rank = node.inputs[0]?.shape?.length ?? 0;
  if (!isLast(node, rank) || !sizes.every(size => typeof size === 'number')) return false;
  const added = onlyUse(node.inputs[0]!, 'Add', b.graph);
  const [product, bias] = added ? [added.inputs[0]!, added.inputs[1]!] : [node.inputs[0]!, undefined];
  const matMul = onlyUse(product, 'MatMul', b.graph);
  const [x, weight] = matMul?.inputs ?? [];
  if (!x || weight?.fixedShape?.length !== 2 || (bias && bias.fixedShape?.length !== 1)) return false;
  const weights = split(b, weight, sizes, 1);
  const biases = bias && split(b, bias, sizes, 0);
  parts.forEach((part, i) => {
    const own = b.matmul(x, weights[i]!);
    b.graph.replaceUses(part, biases ? b.add(own, biases[i]!) : own);
  });
  return true;
}

/** What reads gradients that were put together: nothing but these reads them, or they stay together. */
function multiplyParts(node: Node, b: Builder): boolean {
  const { output } = node;
  const shape = output.fixedShape;
  const sizes = node.inputs.map(part => part?.fixedShape?.at(-1));
  if (!shape || !isLast(node, shape.length) || sizes.some(size => size === undefined)) return false;
  const readers = readersOf(output, b.graph);
  if (!readers) return false;
  const parts = node.inputs as readonly Value[];
  const rows = shape.slice(0, -1).reduce((product, dim) => product * dim, 1);
  const matrices = parts.map((part, i) => b.reshape(part, [rows, sizes[i]!]));
  for (const { node: reader, value } of readers) {
    b.graph.replaceUses(reader.output, multiplied(reader, value, parts, matrices, b));
  }
  return true;
}

/** A node, and under which shape it reads the value. */
interface Reader {
  readonly node: Node;
  readonly value: Value;
}

/** The sums over rows and products that read a value, directly or as a matrix; `undefined` where something else does. */
function readersOf(value: Value, graph: Graph): Reader[] | undefined {
  const width = value.fixedShape!.at(-1);
  const readers: Reader[] = [];
  for (const node of value.consumers) {
    if (
      node.opType === 'Reshape' &&
      node.output.fixedShape?.length === 2 &&
      node.output.fixedShape[1] === width
    ) {
      const inner = graph.isOutput(node.output) ? undefined : readersOf(node.output, graph);
      if (!inner) return undefined;
      readers.push(...inner);
    } else if (isRowSum(node) || (node.opType === 'Gemm' && isProduct(node, value)))
      readers.push({ node, value });
    else return undefined;
  }
  return graph.isOutput(value) ? undefined : readers;
}

/** g·Wᵀ, or xᵀ·g, or gᵀ·x. */
function isProduct(node: Node, g: Value): boolean {
  const [a, c, added] = node.inputs;
  if (added || a === c || node.float('alpha', 1) !== 1) return false;
  if (a === g) return true;
  return c === g && node.int('transB', 0) === 0;
}

/** What the reader computes, from the parts. */
function multiplied(
  reader: Node,
  value: Value,
  parts: readonly Value[],
  matrices: readonly Value[],
  b: Builder,
): Value {
  if (reader.opType === 'ReduceSum') {
    const keepdims = reader.int('keepdims', 1) !== 0;
    const sums = parts.map(part =>
      b.sum(
        part,
        part.shape!.slice(1).map((_, i) => i),
        keepdims,
      ),
    );
    return b.reshape(b.concat(sums, sums[0]!.shape!.length - 1), reader.output.fixedShape!);
  }
  const [left, right] = reader.inputs as readonly Value[];
  const [transA, transB] = [reader.int('transA', 0) !== 0, reader.int('transB', 0) !== 0];
  if (left !== value) {
    const products = matrices.map(g => b.gemm(left!, g, { transA }));
    return b.concat(products, 1);
  }
  if (transA) {
    const products = matrices.map(g => b.gemm(g, right!, { transA, transB }));
    return b.concat(products, 0);
  }
  const sizes = matrices.map(g => g.fixedShape![1]!);
  const weights = split(b, right!, sizes, transB ? 1 : 0);
  const first = b.gemm(matrices[0]!, weights[0]!, { transB });
  return matrices.slice(1).reduce((sum, g, i) => b.op('Gemm', [g, weights[i + 1]!, sum], { transB }), first);
}

function split(b: Builder, x: Value, sizes: readonly number[], axis: number): Value[] {
  const node = b.node('Split', [x, b.ints(sizes)], { axis }, sizes.length);
  return node.outputs as Value[];
}

function isLast(node: Node, rank: number): boolean {
  const axis = node.int('axis', 0);
  return rank > 1 && (axis === -1 || axis === rank - 1);
}

const onlyUse = (value: Value, opType: string, graph: Graph): Node | undefined =>
  value.producer?.opType === opType && value.uses.size === 1 && !graph.isOutput(value)
    ? value.producer
    : undefined;

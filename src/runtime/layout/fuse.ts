import type { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import type { Builder } from '../../graph/ops/builder.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { BLOCKED_DOMAIN } from './operators.js';

/** Improvements that show only when the whole graph is in blocked order. */
export function fuse(b: Builder): void {
  addBeforeMoving(b);
  fuseSums(b.graph);
  copySharedSums(b);
}

/** Adds phases of strided input gradients before they move to their places: one pass less over the larger image. */
function addBeforeMoving(b: Builder): void {
  const { graph } = b;
  for (const node of [...graph.nodes]) {
    if (node.opType !== 'Add' || node.domain !== '') continue;
    const moved = (node.inputs as Value[]).map(movedFrom);
    const [left, right] = moved;
    if (!left || !right || left.key !== right.key) continue;
    const sum = b.add(left.parts, right.parts);
    const split = b.reshape(sum, left.split);
    const whole = b.reshape(b.transpose(split, left.perm), node.output.fixedShape!);
    graph.replaceUses(node.output, whole);
    graph.remove(node);
  }
}

interface Moved {
  readonly parts: Value;
  readonly split: readonly number[];
  readonly perm: readonly number[];
  readonly key: string;
}

/** Reshape(Transpose(Reshape(parts))), read once. */
function movedFrom(value: Value): Moved | undefined {
  const transpose = onlyProducer(value, 'Reshape')?.inputs[0];
  const turn = transpose && onlyProducer(transpose, 'Transpose');
  const split = turn?.inputs[0]?.fixedShape;
  const parts = turn && onlyProducer(turn.inputs[0]!, 'Reshape')?.inputs[0];
  if (!turn || split?.length !== 7 || !parts?.fixedShape) return undefined;
  const perm = turn.ints('perm', []);
  return { parts, split, perm, key: `${split} ${perm} ${parts.fixedShape}` };
}

const onlyProducer = (value: Value, opType: string): Node | undefined =>
  value.producer?.opType === opType && value.uses.size === 1 ? value.producer : undefined;

/** Lets blocked convolutions add what is added to their results: Conv, Add → Conv. */
function fuseSums(graph: Graph): void {
  for (const node of [...graph.nodes]) {
    if (node.opType !== 'Add' || node.domain !== '' || graph.isOutput(node.output)) continue;
    const [left, right] = node.inputs as [Value, Value];
    if (left === right || !left.fixedShape || left.fixedShape.join() !== right.fixedShape?.join()) continue;
    const [own, other] = isFusible(left, graph) ? [left, right] : [right, left];
    if (!isFusible(own, graph)) continue;
    const [x, filter, bias = null] = own.producer!.inputs;
    own.producer!.setInputs([x!, filter!, bias, other]);
    graph.replaceUses(node.output, own);
    graph.remove(node);
  }
  graph.sort();
}

function isFusible(value: Value, graph: Graph): boolean {
  const node = value.producer;
  if (node?.domain !== BLOCKED_DOMAIN || node.opType !== 'Conv' || graph.isOutput(value)) return false;
  return value.uses.size === 1 && !node.inputs[3] && !node.attributes.has('activation');
}

/**
 * A convolution writes over what it adds to, unless something reads that later: then ONNX Runtime copies it, at a
 * fifth of the speed of a convolution that only copies.
 */
function copySharedSums(b: Builder): void {
  const { graph } = b;
  const order = new Map([...graph.nodes].map((node, i) => [node, i]));
  for (const [node, place] of order) {
    const sum = node.domain === BLOCKED_DOMAIN && node.opType === 'Conv' ? node.inputs[3] : undefined;
    if (!sum?.producer || sum.consumers.every(reader => order.get(reader)! <= place)) continue;
    const channels = sum.fixedShape![1]!;
    const ones = b.constant(
      Tensor.float32([channels, 1, 1, 1], new Float32Array(channels).fill(1)),
      `copy of ${channels}`,
    );
    const copy = b.op('Conv', [sum, ones], { kernel_shape: [1, 1], group: channels }, BLOCKED_DOMAIN);
    copy.type = sum.type;
    node.setInput(3, copy);
  }
  graph.sort();
}

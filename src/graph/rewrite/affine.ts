import { Graph } from '../graph.js';
import type { Node, NodeInput } from '../node.js';
import { sizeOf, Tensor } from '../tensor.js';
import type { Value } from '../value.js';

/**
 * Folds constant factors and shifts around convolutions into their weights and biases, where the result is the same
 * but for rounding: what follows a convolution (Mul, Div, Add, Sub, BatchNormalization by channel or by one number), and
 * a factor or, without padding, a shift before it. Each is a pass over the activations that runtimes do not fuse.
 * @returns how many nodes were folded
 */
export function foldAffine(graph: Graph): number {
  let folded = 0;
  for (const node of [...graph.nodes]) {
    if (node.opType !== 'Conv' || node.domain !== '' || node.graph !== graph) continue;
    const conv = readConv(node);
    if (!conv) continue;
    let count = 0;
    while (foldAfter(graph, conv) || foldBefore(graph, conv)) count++;
    if (count > 0) writeConv(graph, conv);
    folded += count;
  }
  return folded;
}

interface Conv {
  readonly node: Node;
  readonly dims: readonly number[];
  readonly weight: Float64Array;
  readonly bias: Float64Array;
}

function readConv(node: Node): Conv | undefined {
  const weight = Graph.constantOf(node.inputs[1]);
  const bias = Graph.constantOf(node.inputs[2]);
  if (weight?.dtype !== 'float32' || node.inputs[1]!.uses.size > 1 || (node.inputs[2] && !bias))
    return undefined;
  const channels = weight.dims[0]!;
  return {
    node,
    dims: weight.dims,
    weight: weight.toFloat64(),
    bias: bias?.toFloat64() ?? new Float64Array(channels),
  };
}

function writeConv(graph: Graph, { node, dims, weight, bias }: Conv): void {
  const put = (index: number, tensor: Tensor, name: string) =>
    node.setInput(index, graph.constant(tensor, name));
  const { name } = node.inputs[1]!;
  put(1, Tensor.float32(dims, Float32Array.from(weight)), name);
  put(2, Tensor.float32([bias.length], Float32Array.from(bias)), node.inputs[2]?.name ?? `${name}.bias`);
}

/** y = scale · x + shift, by channel. */
interface Affine {
  readonly scale: (channel: number) => number;
  readonly shift: (channel: number) => number;
}

function foldAfter(graph: Graph, { node, dims, weight, bias }: Conv): boolean {
  const next = onlyConsumer(graph, node.output);
  const affine = next && affineOf(next, node.output, dims[0]!, dims.length);
  if (!next || !affine) return false;
  const inner = sizeOf(dims.slice(1));
  for (let c = 0; c < bias.length; c++) {
    const scale = affine.scale(c);
    for (let i = c * inner; i < (c + 1) * inner; i++) weight[i]! *= scale;
    bias[c] = bias[c]! * scale + affine.shift(c);
  }
  graph.replaceUses(next.output, node.output);
  graph.remove(next);
  return true;
}

function foldBefore(graph: Graph, conv: Conv): boolean {
  const { node, dims } = conv;
  const before = node.inputs[0]!.producer;
  if (!before || before.graph !== graph || onlyConsumer(graph, before.output) !== node) return false;
  const groups = node.int('group', 1);
  const x = variableInput(before);
  const affine = x && affineOf(before, x, dims[1]! * groups, dims.length);
  if (!affine) return false;
  const channels = Array.from({ length: dims[1]! * groups }, (_, c) => c);
  const shifts = channels.some(c => affine.shift(c) !== 0);
  if (shifts && pads(node)) return moveFactorOut(graph, conv, before, x);
  eachWeight(conv, groups, (at, out, channel) => {
    conv.bias[out]! += conv.weight[at]! * affine.shift(channel);
    conv.weight[at]! *= affine.scale(channel);
  });
  node.setInput(0, x);
  graph.remove(before);
  return true;
}

/** a·x + b before a padded convolution: the padding must stay 0, so that only a can go: W · (a·x + b) = (a W) · (x + b/a). */
function moveFactorOut(graph: Graph, conv: Conv, add: Node, scaled: Value): boolean {
  const mul = scaled.producer;
  const shift = Graph.constantOf(add.inputs.find(input => input !== scaled));
  const factor = Graph.constantOf(mul?.inputs.find(input => Graph.constantOf(input)));
  if (add.opType !== 'Add' || mul?.opType !== 'Mul' || onlyConsumer(graph, scaled) !== add) return false;
  if (shift?.size !== 1 || factor?.size !== 1) return false;
  const a = factor.toNumbers()[0]!;
  const b = shift.toNumbers()[0]! / a;
  // A tiny factor would blow the shift up, and rounding with it.
  if (!(Math.abs(a) > 1e-3)) return false;
  for (let i = 0; i < conv.weight.length; i++) conv.weight[i]! *= a;
  const sum = graph.op('Add', [
    variableInput(mul)!,
    graph.constant(Tensor.float32(shift.dims, [b]), 'shift'),
  ]);
  conv.node.setInput(0, sum);
  graph.remove(add);
  graph.remove(mul);
  return true;
}

function eachWeight(
  { dims, weight }: Conv,
  groups: number,
  visit: (at: number, out: number, channel: number) => void,
): void {
  const [out, width] = dims as [number, number];
  const kernel = sizeOf(dims.slice(2));
  for (let at = 0; at < weight.length; at++) {
    const o = Math.floor(at / (width * kernel));
    const group = Math.floor((o * groups) / out);
    visit(at, o, group * width + (Math.floor(at / kernel) % width));
  }
}

const pads = (node: Node): boolean =>
  !['NOTSET', 'VALID'].includes(node.string('auto_pad', 'NOTSET')) ||
  node.ints('pads', []).some(pad => pad !== 0);

function onlyConsumer(graph: Graph, value: Value): Node | undefined {
  if (graph.isOutput(value) || value.uses.size !== 1) return undefined;
  const [[node, times]] = value.uses as unknown as [[Node, number]];
  return times === 1 && node.graph === graph && node.domain === '' ? node : undefined;
}

/** The one input that is no constant. */
function variableInput(node: Node): Value | undefined {
  const variable = node.inputs.filter((input): input is Value => input !== null && !Graph.constantOf(input));
  return variable.length === 1 ? variable[0] : undefined;
}

/** What a node does to x as a factor and a shift for each channel; `undefined` where it does something else. */
function affineOf(node: Node, x: Value, channels: number, rank: number): Affine | undefined {
  if (node.opType === 'BatchNormalization') return normalization(node, x, channels);
  if (node.inputs.length !== 2) return undefined;
  const at = perChannel(
    node.inputs.find(input => input !== x),
    channels,
    rank,
  );
  if (!at) return undefined;
  const first = node.inputs[0] === x;
  const zero = () => 0;
  const one = () => 1;
  if (node.opType === 'Mul') return { scale: at, shift: zero };
  if (node.opType === 'Add') return { scale: one, shift: at };
  if (node.opType === 'Div' && first) return { scale: c => 1 / at(c), shift: zero };
  if (node.opType === 'Sub') return { scale: first ? one : () => -1, shift: first ? c => -at(c) : at };
  return undefined;
}

/** A constant of one number or of one for each channel, (…, channels, 1, 1). */
function perChannel(
  value: NodeInput | undefined,
  channels: number,
  rank: number,
): ((channel: number) => number) | undefined {
  const constant = Graph.constantOf(value);
  if (constant?.dtype !== 'float32' || constant.dims.length > rank) return undefined;
  const numbers = constant.toFloat32();
  if (numbers.length === 1) return () => numbers[0]!;
  const matches = numbers.length === channels && constant.dims[constant.dims.length - rank + 1] === channels;
  return matches ? channel => numbers[channel]! : undefined;
}

function normalization(node: Node, x: Value, channels: number): Affine | undefined {
  if (node.inputs[0] !== x || node.int('training_mode', 0) === 1) return undefined;
  // Further outputs belong to training.
  if (node.outputs.slice(1).some(output => output && output.uses.size > 0)) return undefined;
  const [gamma, beta, mean, variance] = node.inputs.slice(1).map(v => Graph.constantOf(v)?.toFloat64());
  if (!gamma || !beta || !mean || variance?.length !== channels) return undefined;
  const epsilon = node.float('epsilon', 1e-5);
  const scale = (c: number) => gamma[c]! / Math.sqrt(variance[c]! + epsilon);
  return { scale, shift: c => beta[c]! - mean[c]! * scale(c) };
}

import type { Range } from '../../calibrate/ranges.js';
import type { Site, SiteUse } from '../../calibrate/sites.js';
import { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { RewriteTarget } from '../method.js';
import type { QuantizedMatrix } from '../rounding/quantizer.js';
import { sharedConstant } from './constants.js';
import { dequantized, dequantizeLinear, quantizationOp } from './integers.js';
import { replaceNode } from './linear.js';

/*
 * The static form: activations are rounded to uint8 with ranges that calibration found, so that a convolution reads and
 * writes integers. It is written as QuantizeLinear and DequantizeLinear around ordinary operators (QDQ), which ONNX
 * Runtime fuses to QLinearConv; between two such layers the pair falls away and the values stay integers.
 */

/** The ranges that one use of a site needs. */
export interface UseRanges {
  readonly input: Range;
  /** Of the convolution itself. */
  readonly output: Range;
  /** Of what the integers come out of in the model: see `tailOf`. */
  readonly tail: Range;
}

export const fitsStatic = ({ kind, mixed, nested, tensor, uses }: Site): boolean =>
  kind === 'conv' &&
  !mixed &&
  !nested &&
  tensor.dtype === 'float32' &&
  // QLinearConv knows images and sequences; a bias that is computed cannot be an integer.
  (tensor.dims.length === 3 || tensor.dims.length === 4) &&
  uses.every(({ node, index }) => index === 1 && (!node.inputs[2] || Graph.constantOf(node.inputs[2])));

/** A convolution's bias, and the last of the nodes after it that are done together with it. */
export interface Tail {
  readonly bias: Float32Array | undefined;
  readonly end: Node;
}

/** Follows a convolution through a constant added to each channel, and through a Relu. */
function tailOf(conv: Node): Tail {
  let bias = Graph.constantOf(conv.inputs[2])?.toFloat32();
  let end = conv;
  const channels = Graph.constantOf(conv.inputs[1])?.dims[0] ?? bias?.length ?? 0;
  for (;;) {
    const next = onlyConsumer(end);
    if (next?.opType === 'Relu') return { bias, end: next };
    const added =
      next?.opType === 'Add' && end === conv ? channelConstant(next, end.output, channels) : undefined;
    if (!next || !added) return { bias, end };
    const before = bias;
    bias = before ? added.map((v, c) => v + before[c]!) : added;
    end = next;
  }
}

function onlyConsumer(node: Node): Node | undefined {
  const { output, graph } = node;
  if (graph?.isOutput(output) || output.consumers.length !== 1) return undefined;
  const consumer = output.consumers[0]!;
  return consumer.graph === graph && output.uses.get(consumer) === 1 ? consumer : undefined;
}

/** What an Add adds to each channel: a constant of shape (…1, channels, 1, 1) or (channels, 1, 1). */
function channelConstant(add: Node, x: Value, channels: number): Float32Array | undefined {
  const constant = Graph.constantOf(add.inputs.find(input => input !== x));
  const rank = x.shape?.length ?? 4;
  if (constant?.dtype !== 'float32' || constant.size !== channels) return undefined;
  return constant.dims[constant.dims.length - rank + 1] === channels ? constant.toFloat32() : undefined;
}

/**
 * @param quantized 8 bits, a scale for each output channel
 * @param ranges of each use, in their order
 */
export function applyStatic(
  target: RewriteTarget,
  site: Site,
  quantized: QuantizedMatrix,
  ranges: readonly UseRanges[],
): void {
  const { graph } = target;
  const weight = dequantized(target, site, quantized);
  for (const [i, { node }] of target.uses.entries()) {
    const range = ranges[i]!;
    const { bias, end } = tailOf(node);
    const x = roundedInput(target, node.inputs[0]!, range.input);
    const inputs = [x.value, weight];
    if (bias) inputs.push(integerBias(target, bias, x.scale, quantized.scales));
    const conv = graph.op('Conv', inputs, Object.fromEntries(node.attributes));
    const activated = end.opType === 'Relu' ? graph.op('Relu', [conv]) : conv;
    const y = rounded(target, activated, end === node ? range.output : range.tail);
    replaceNode(graph, end, y);
    removeChain(graph, node);
  }
}

/** Removes the nodes that a tail has absorbed, from its first on. */
function removeChain(graph: Graph, node: Node): void {
  const chain: Node[] = [];
  for (let next: Node | undefined = node; next?.graph; next = next.output.consumers[0]) chain.push(next);
  for (const dead of chain.reverse()) graph.remove(dead);
}

/** An activation as the integers that a layer before it made, or newly rounded. */
function roundedInput(target: RewriteTarget, x: Value, range: Range): { value: Value; scale: number } {
  const known = scaleOfRounded(x);
  if (known !== undefined) return { value: x, scale: known };
  for (const consumer of x.consumers) {
    if (consumer.opType !== 'QuantizeLinear') continue;
    const value = consumer.output.consumers[0]?.output;
    const scale = value && scaleOfRounded(value);
    if (value && scale !== undefined) return { value, scale };
  }
  const { scale } = affine(range);
  return { value: rounded(target, x, range), scale };
}

/** The scale of an activation that comes out of a DequantizeLinear of ours. */
function scaleOfRounded(x: Value): number | undefined {
  const node = x.producer;
  if (node?.opType !== 'DequantizeLinear' || node.inputs[0]?.producer?.opType !== 'QuantizeLinear')
    return undefined;
  return Graph.constantOf(node.inputs[1])?.toFloat32()[0];
}

/** x rounded to uint8 and back. */
function rounded(target: RewriteTarget, x: Value, range: Range): Value {
  const { scale, zero } = affine(range);
  const s = sharedConstant(target.graph, Tensor.float32([], [scale]));
  const z = sharedConstant(target.graph, Tensor.from('uint8', [], Uint8Array.of(zero)));
  const q = quantizationOp(target, 'QuantizeLinear', [x, s, z]);
  return dequantizeLinear(target, q, s, z);
}

/** Scale and zero point of uint8 for a range, which is widened to hold 0: padding must be exact. */
function affine({ min, max }: Range): { scale: number; zero: number } {
  const low = Math.min(0, min);
  const scale = Math.fround((Math.max(0, max) - low) / 255) || 1;
  return { scale, zero: Math.min(255, Math.max(0, Math.round(-low / scale))) };
}

/** QLinearConv adds its bias to the sums of integers: scale of the input times scale of the weight. */
function integerBias(
  target: RewriteTarget,
  bias: Float32Array,
  inputScale: number,
  weightScales: Float32Array,
): Value {
  const scales = weightScales.map(scale => (scale || 1) * inputScale);
  const ints = Int32Array.from(bias, (b, c) => Math.round(b / scales[c]!));
  const { graph } = target;
  const zeros = graph.constant(Tensor.from('int32', [bias.length], new Int32Array(bias.length)), 'z');
  return dequantizeLinear(
    target,
    graph.constant(Tensor.from('int32', [bias.length], ints), 'b'),
    graph.constant(Tensor.float32([bias.length], scales), 's'),
    zeros,
    0,
  );
}

/** The uses of a site whose tails differ in the activation that they end in. */
export const tailValue = ({ node }: SiteUse): Value => tailOf(node).end.output;

import { typedBuilder } from '../../graph/autodiff/index.js';
import { WhittleError } from '../../graph/errors.js';
import type { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';
import { convolve, type Network, type Parameter, project, replaceLayer, type Scope } from '../../nn/index.js';
import type { DenseLayer } from '../factorized/low-rank.js';
import type { LayerSelector } from '../factorized/select.js';
import { type QuantizedLayers, quantizedLayers } from './select.js';

/** What quantizers of one layer are built with. */
export interface LayerContext {
  readonly b: Builder;
  readonly scope: Scope;
  readonly layer: DenseLayer;
  /** The weight, of the layer's own shape. */
  readonly weight: Value;
  /** What the layer reads. */
  readonly input: Value;
  /** Sizes of symbolic dimensions in a training step, as far as they are known. */
  readonly sizes: Sizes;
}

type Sizes = Readonly<Record<string, number>>;

/** What multiplies in a layer: something else than its weight, perhaps by something else than its input. */
export interface LayerQuantizers {
  /** Asked once for each weight, of the first layer that has it. */
  weight(context: LayerContext): Value;
  input?(context: LayerContext): Value;
  /** What the product is multiplied by before the bias is added. */
  outputScale?(context: LayerContext): Value;
  /** What the layer gives instead of `output`. */
  product?(context: LayerContext, output: Value): Value;
}

/** Names in the graph of a layer's quantizers: what they read and what they give. */
export const weightName = ({ weight }: DenseLayer): string => `${weight.name}/quantized`;
export const inputName = ({ path }: DenseLayer): string => `${path}/input`;
export const quantizedInputName = ({ path }: DenseLayer): string => `${path}/input/quantized`;

/**
 * Puts quantizers in front of the products of a network, in place. The layers keep their parameters and paths; those that
 * share a weight share its quantizer.
 * @returns the layers, in the network's order
 * @throws WhittleError where no layer is chosen
 */
export function quantizeLayers(
  network: Network,
  which: QuantizedLayers | LayerSelector,
  quantizers: LayerQuantizers,
  sizes: Sizes = {},
): DenseLayer[] {
  const paths = quantizedLayers(network, which).map(({ path }) => path);
  const order = [...network.layers.keys()];
  if (paths.length === 0) {
    throw new WhittleError('no layer is left to be quantized', {
      hint: `The network has ${order.join(', ') || 'no layers that Whittle knows'}${which === 'inner' ? '; layers=all takes a first convolution and a classifier, too' : ''}`,
    });
  }
  const b = typedBuilder(network.toModel());
  const weights = new Map<Parameter, Value>();
  const layers = paths.map(path => {
    const layer = network.layers.get(path) as DenseLayer;
    let output = layer.output;
    replaceLayer(network, path, scope => {
      output = quantizedProduct({ b, scope, layer, sizes }, quantizers, weights);
      return output;
    });
    const now: DenseLayer = { ...layer, output };
    network.layers.set(path, now);
    return now;
  });
  for (const path of order) {
    const layer = network.layers.get(path)!;
    network.layers.delete(path);
    network.layers.set(path, layer);
  }
  return layers;
}

/** The layers with a weight of their own, and of those that share one the first. */
export const weightOwners = (layers: readonly DenseLayer[]): DenseLayer[] =>
  layers.filter(({ weight }, i) => layers.findIndex(other => other.weight.name === weight.name) === i);

function quantizedProduct(
  place: Pick<LayerContext, 'b' | 'scope' | 'layer' | 'sizes'>,
  quantizers: LayerQuantizers,
  weights: Map<Parameter, Value>,
): Value {
  const { b, scope, layer } = place;
  // Apart from the network's own nodes, whose names end in numbers too.
  b.scope = `${layer.path}/quantizer/`;
  const weight = layer.weight.value;
  const bias = layer.bias?.value ?? null;
  let input = layer.input;
  if (quantizers.input) {
    input = named(b, input, inputName(layer));
    const x = quantizers.input({ ...place, weight, input });
    input = named(b, x, quantizedInputName(layer));
  }
  const context: LayerContext = { ...place, weight, input: layer.input };
  const w = weights.get(layer.weight) ?? named(b, quantizers.weight(context), weightName(layer));
  weights.set(layer.weight, w);
  const scale = quantizers.outputScale?.(context);
  let output = multiply(scope, layer, input, w, scale ? null : bias);
  if (scale) output = b.mul(output, scale);
  if (scale && bias) output = b.add(output, alongChannels(b, layer, bias));
  return quantizers.product?.(context, output) ?? output;
}

const multiply = (scope: Scope, layer: DenseLayer, x: Value, w: Value, bias: Value | null): Value =>
  layer.kind === 'linear' ? project(scope, x, w, bias, layer.layout) : convolve(scope, x, w, bias, layer);

function named(b: Builder, value: Value, name: string): Value {
  // A node of its own: the value may have a name, or other readers, already.
  const result = b.op('Identity', [value]);
  b.graph.releaseName(result.name);
  result.name = b.graph.freshName(name);
  return result;
}

/** A vector of one number a channel, to be added to what the layer gives. */
const alongChannels = (b: Builder, layer: DenseLayer, vector: Value): Value =>
  layer.kind === 'linear' ? vector : b.reshape(vector, [-1, ...layer.kernelSize.map(() => 1)]);

/** The axis of the weight that counts outputs. */
export const outputAxis = (layer: DenseLayer): 0 | 1 =>
  layer.kind === 'linear' && layer.layout === 'in-out' ? 1 : 0;

/** The axes of the weight that are summed over: all others. */
export const summedAxes = (layer: DenseLayer): number[] =>
  layer.weight.dims.map((_, axis) => axis).filter(axis => axis !== outputAxis(layer));

/** The shape of one number for each output, as it is multiplied with the weight. */
export const perOutput = (layer: DenseLayer): number[] =>
  layer.weight.dims.map((dim, axis) => (axis === outputAxis(layer) ? dim : 1));

/** Operators that give numbers of the signs that they read. */
const KEEPS_SIGN = new Set(
  'Identity Flatten Reshape Transpose Squeeze Unsqueeze MaxPool AveragePool GlobalAveragePool Dropout'.split(
    ' ',
  ),
);

/** Whether a value is never negative by the operators that it comes from. */
export function isNonNegative(value: Value): boolean {
  const node = value.producer;
  if (node?.domain !== '') return false;
  if (['Relu', 'Sigmoid', 'Softmax'].includes(node.opType)) return true;
  return KEEPS_SIGN.has(node.opType) && isNonNegative(node.inputs[0]!);
}

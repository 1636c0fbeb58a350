import type { Node } from '../graph/node.js';
import type { Value } from '../graph/value.js';
import type { ConvLayer, LinearLayer } from './layer.js';
import type { Network } from './network.js';
import type { Parameter } from './parameter.js';
import { recordAttentions } from './record-attentions.js';

/**
 * Finds the linear layers and convolutions of a network that was not built here, and the attentions that they make up,
 * and records them, so that `replaceLayer` and methods that ask for `network.layers` find them. A layer's path is its
 * weight's name without `.weight`. Left out: weights that several nodes share, and convolutions with padding that
 * differs at the two ends.
 * @returns how many layers were found
 */
export function recordLayers(network: Network): number {
  const byValue = new Map([...network.parameters.values()].map(parameter => [parameter.value, parameter]));
  let found = 0;
  network.graph.sort();
  for (const node of network.graph.nodes) {
    if (node.domain !== '') continue;
    const layer = convLayer(node, byValue) ?? linearLayer(node, byValue);
    if (!layer || network.layers.has(layer.path)) continue;
    network.layers.set(layer.path, layer);
    found++;
  }
  recordAttentions(network);
  return found;
}

/** Records the layers of a network around an imported graph, unless that has been done. */
export function ensureLayers(network: Network): void {
  if (network.layers.size === 0) recordLayers(network);
}

type Parameters = ReadonlyMap<Value, Parameter>;

const pathOf = (weight: Parameter): string => weight.name.replace(/\.weight$/, '');

/** The parameter that is one input of a single node. */
function ownParameter(value: Value | null | undefined, parameters: Parameters): Parameter | undefined {
  const parameter = value && parameters.get(value);
  return parameter && value.consumers.length === 1 ? parameter : undefined;
}

/** The bias of a layer: absent, or a parameter; `null` where it is something else. */
function biasOf(value: Value | null | undefined, parameters: Parameters): Parameter | undefined | null {
  return value ? (ownParameter(value, parameters) ?? null) : undefined;
}

function convLayer(node: Node, parameters: Parameters): ConvLayer | undefined {
  if (node.opType !== 'Conv') return undefined;
  const weight = ownParameter(node.inputs[1], parameters);
  const bias = biasOf(node.inputs[2], parameters);
  if (!weight || bias === null || weight.dims.length < 3) return undefined;
  const [outChannels, perGroup, ...kernelSize] = weight.dims as [number, number, ...number[]];
  const rank = kernelSize.length;
  const pads = node.ints('pads', Array(2 * rank).fill(0));
  const padding = pads.slice(0, rank);
  const automatic = node.string('auto_pad', 'NOTSET');
  if (!['NOTSET', 'VALID'].includes(automatic)) return undefined;
  if (automatic === 'NOTSET' && padding.join() !== pads.slice(rank).join()) return undefined;
  const groups = node.int('group', 1);
  return {
    kind: 'conv',
    path: pathOf(weight),
    input: node.inputs[0]!,
    output: node.output,
    weight,
    bias,
    inChannels: perGroup * groups,
    outChannels,
    kernelSize,
    stride: node.ints('strides', Array(rank).fill(1)),
    padding: automatic === 'VALID' ? Array<number>(rank).fill(0) : padding,
    dilation: node.ints('dilations', Array(rank).fill(1)),
    groups,
  };
}

function linearLayer(node: Node, parameters: Parameters): LinearLayer | undefined {
  const product = productOf(node, parameters);
  if (product?.weight.dims.length !== 2) return undefined;
  const { weight, bias, layout } = product;
  const [rows, columns] = weight.dims as [number, number];
  const [outFeatures, inFeatures] = layout === 'out-in' ? [rows, columns] : [columns, rows];
  const shift = bias || node.opType === 'Gemm' ? undefined : addedBias(node.output, outFeatures, parameters);
  return {
    kind: 'linear',
    path: pathOf(weight),
    input: node.inputs[0]!,
    output: shift?.sum ?? node.output,
    weight,
    bias: bias ?? shift?.bias,
    inFeatures,
    outFeatures,
    layout,
  };
}

/** What a bias of the outputs is added to a product that nothing else reads. */
function addedBias(
  product: Value,
  outFeatures: number,
  parameters: Parameters,
): { readonly bias: Parameter; readonly sum: Value } | undefined {
  const [add, ...others] = product.consumers;
  if (add?.opType !== 'Add' || add.domain !== '' || others.length > 0 || add.graph?.isOutput(product))
    return undefined;
  const bias = ownParameter(add.inputs[add.inputs[0] === product ? 1 : 0], parameters);
  if (bias?.dims.length !== 1 || bias.dims[0] !== outFeatures) return undefined;
  return { bias, sum: add.output };
}

function productOf(
  node: Node,
  parameters: Parameters,
): Pick<LinearLayer, 'weight' | 'bias' | 'layout'> | undefined {
  const right = node.inputs[1];
  if (node.opType === 'Gemm') {
    const plain = node.float('alpha', 1) === 1 && node.float('beta', 1) === 1 && node.int('transA', 0) === 0;
    const weight = ownParameter(right, parameters);
    const bias = biasOf(node.inputs[2], parameters);
    if (!plain || !weight || bias === null || (bias && bias.dims.length !== 1)) return undefined;
    return { weight, bias, layout: node.int('transB', 0) === 1 ? 'out-in' : 'in-out' };
  }
  if (node.opType !== 'MatMul') return undefined;
  const direct = ownParameter(right, parameters);
  if (direct) return { weight: direct, bias: undefined, layout: 'in-out' };
  const transpose = right?.producer;
  if (transpose?.opType !== 'Transpose' || right!.consumers.length !== 1) return undefined;
  if (transpose.ints('perm', [1, 0]).join() !== '1,0') return undefined;
  const weight = ownParameter(transpose.inputs[0], parameters);
  return weight && { weight, bias: undefined, layout: 'out-in' };
}

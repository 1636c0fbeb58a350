import { sharedConstant } from '../../compress/forms/constants.js';
import { foldIntegers } from '../../compress/forms/fold.js';
import { fromMatrix } from '../../compress/matrix.js';
import { WhittleError } from '../../graph/errors.js';
import { Graph } from '../../graph/graph.js';
import { allValues, removeDead } from '../../graph/rewrite/index.js';
import { cloneModel } from '../../graph/clone.js';
import type { Model } from '../../graph/model.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { DenseLayer } from '../factorized/low-rank.js';
import { layoutOf, type WeightCode } from './codes.js';
import { inputName, outputAxis, perOutput, quantizedInputName, weightName } from './layers.js';
import { removeStraightThrough } from './straight-through.js';

/** What QuantizeLinear makes of a layer's input: (round(x / scale) + zero) within uint8 or int8. */
export interface InputCode {
  readonly scale: number;
  readonly zero: number;
  readonly dtype: 'uint8' | 'int8';
}

/** What a quantized layer is written as. */
export interface LayerCodes {
  /** Terms that are summed. */
  readonly weight: readonly WeightCode[];
  /** Absent where the input stays as the network computes it. */
  readonly input?: InputCode | undefined;
}

/** Reads a parameter of the trained network. */
export type ReadParameter = (name: string) => Tensor;

/**
 * Writes the weights of quantized layers as integers, and what was computed in float32 during training as what it stood
 * for. Weights of 8 bits in front of a matrix product whose input is rounded too become int8 with DequantizeLinear, which
 * ONNX Runtime multiplies as integers; all others are packed, and unpacked once when the file is loaded.
 * @returns a model of its own
 * @throws WhittleError where the model is not the export of the network
 */
export function exportQuantized(
  trained: Model,
  layers: readonly DenseLayer[],
  codesOf: (layer: DenseLayer, read: ReadParameter) => LayerCodes,
): Model {
  const model = cloneModel(trained);
  const { graph } = model;
  const values = new Map([...allValues(graph)].map(value => [value.name, value]));
  const find = (name: string): Value => {
    const value = values.get(name);
    if (value) return value;
    throw new WhittleError('the model lacks a value of the quantized network', { value: name });
  };
  const read: ReadParameter = name => {
    const tensor = Graph.constantOf(find(name));
    if (tensor) return tensor;
    throw new WhittleError('the model has no constant for a parameter', { value: name });
  };
  const codes = layers.map(layer => codesOf(layer, read));
  layers.forEach((layer, i) => {
    const { weight, input } = codes[i]!;
    const quantized = find(weightName(layer));
    if (input) replaceInput(graph, find(inputName(layer)), find(quantizedInputName(layer)), input);
    const multiplies = layer.kind === 'linear' && input !== undefined;
    if (multiplies && weight.length === 1 && weight[0]!.bits === 8 && !weight[0]!.offsets) {
      dequantize(graph, quantized, layer, weight[0]!);
    } else {
      const opset = model.opsets.get('') ?? 21;
      const terms = weight.map(code => unpacked(graph, layer, code, opset));
      graph.replaceUses(quantized, terms.reduce((a, b) => graph.op('Add', [a, b])));
    }
  });
  removeStraightThrough(graph);
  for (const node of [...graph.nodes]) {
    if (node.opType === 'Identity' && !graph.isOutput(node.output)) {
      graph.replaceUses(node.output, node.inputs[0]!);
    }
  }
  removeDead(graph);
  graph.sort();
  return model;
}

function replaceInput(graph: Graph, x: Value, quantized: Value, { scale, zero, dtype }: InputCode): void {
  const s = sharedConstant(graph, Tensor.scalar(scale));
  const z = sharedConstant(graph, Tensor.fromNumbers(dtype, [], [zero]));
  const q = graph.op('QuantizeLinear', [x, s, z]);
  graph.replaceUses(quantized, graph.op('DequantizeLinear', [q, s, z]));
}

/** int8 and a scale for each output, already transposed where the network would. */
function dequantize(graph: Graph, quantized: Value, layer: DenseLayer, { q, scales }: WeightCode): void {
  const [only, ...others] = quantized.consumers;
  const transposes = others.length === 0 && only?.opType === 'Transpose';
  const dims = transposes ? layer.weight.dims.toReversed() : layer.weight.dims;
  const axis = transposes ? 1 - outputAxis(layer) : outputAxis(layer);
  const layout = { perm: axis === 1 ? [1, 0] : [0, 1], split: 1 };
  const ints = Int8Array.from(fromMatrix(Float32Array.from(q), dims, layout));
  const weight = graph.op(
    'DequantizeLinear',
    [
      graph.constant(Tensor.from('int8', dims, ints), `${layer.weight.name}/int8`),
      graph.constant(Tensor.float32([scales.length], scales), `${layer.weight.name}/scale`),
      graph.constant(Tensor.from('int8', [scales.length], new Int8Array(scales.length)), 'zero'),
    ],
    { axis },
  );
  graph.replaceUses(transposes ? only.output : quantized, weight);
}

/** The fold form: packed integers, unpacked by ordinary operators that ONNX Runtime runs once. */
function unpacked(graph: Graph, layer: DenseLayer, code: WeightCode, opset: number): Value {
  const { bits, q, scales, offsets } = code;
  const rows = scales.length;
  const cols = q.length / rows;
  const matrix = { format: { bits, block: 0 }, rows, cols, paddedCols: cols, block: cols, q, scales };
  const target = {
    dims: layer.weight.dims,
    dtype: 'float32',
    layout: layoutOf(layer),
    opset,
    exact: true,
  } as const;
  const weight = foldIntegers(graph, matrix, target);
  if (!offsets) return weight;
  return graph.op('Add', [weight, graph.constant(Tensor.float32(perOutput(layer), offsets), 'o')]);
}

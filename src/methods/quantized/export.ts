import { sharedConstant } from '../../compress/forms/constants.js';
import { foldIntegers } from '../../compress/forms/fold.js';
import { fromMatrix } from '../../compress/matrix.js';
import { removeStraightThrough } from '../../graph/autodiff/index.js';
import { cloneModel } from '../../graph/clone.js';
import { dtypeCode } from '../../graph/dtype.js';
import { WhittleError } from '../../graph/errors.js';
import { Graph } from '../../graph/graph.js';
import type { Model } from '../../graph/model.js';
import { allValues, removeDead } from '../../graph/rewrite/index.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { DenseLayer } from '../factorized/low-rank.js';
import { layoutOf, type WeightCode } from './codes.js';
import { inputName, outputAxis, perOutput, quantizedInputName, weightName, weightOwners } from './layers.js';

/** What QuantizeLinear makes of a layer's input: (round(x / scale) + zero) within uint8 or int8. */
export interface InputCode {
  readonly scale: number;
  readonly zero: number;
  readonly dtype: 'uint8' | 'int8';
}

/** What quantized layers are written as. */
export interface LayerCodes {
  /** A weight, as terms that are summed; asked once for each weight, of the first layer that has it. */
  weightCodes(layer: DenseLayer, read: ReadParameter): readonly WeightCode[];
  /** Absent where inputs stay as the network computes them. */
  inputCode?(layer: DenseLayer, read: ReadParameter): InputCode;
}

/** Reads a parameter of the trained network. */
export type ReadParameter = (name: string) => Tensor;

/**
 * Writes the weights of quantized layers as integers, and what was computed in float32 during training as what it stood
 * for. Where the input of a layer is rounded too, its weight becomes int8 with DequantizeLinear, which ONNX Runtime
 * multiplies as integers; other weights become float32 when the file is loaded. Fewer than 8 bits are packed.
 * @returns a model of its own
 * @throws WhittleError where the model is not the export of the network
 */
export function exportQuantized(trained: Model, layers: readonly DenseLayer[], codes: LayerCodes): Model {
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
  // All are read before anything is replaced.
  const inputs = layers.map(layer => codes.inputCode?.(layer, read));
  const owners = weightOwners(layers);
  const weights = owners.map(layer => codes.weightCodes(layer, read));
  layers.forEach((layer, i) => {
    const input = inputs[i];
    if (input) replaceInput(graph, find(inputName(layer)), find(quantizedInputName(layer)), input);
  });
  const opset = model.opsets.get('') ?? 21;
  owners.forEach((layer, i) => {
    const quantized = find(weightName(layer));
    const [only, ...others] = weights[i]!;
    // Next to rounded inputs ONNX Runtime would round float weights once more, to a grid of its own.
    if (codes.inputCode && others.length === 0 && !only!.offsets) {
      dequantize(graph, quantized, layer, only!, opset);
    } else {
      const terms = weights[i]!.map(code => unpacked(graph, layer, code, opset));
      graph.replaceUses(
        quantized,
        terms.reduce((a, b) => graph.op('Add', [a, b])),
      );
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
function dequantize(
  graph: Graph,
  quantized: Value,
  layer: DenseLayer,
  code: WeightCode,
  opset: number,
): void {
  const { bits, q, scales } = code;
  const rows = scales.length;
  const readers = quantized.consumers;
  const transposes = readers.every(node => node.opType === 'Transpose');
  const axis = transposes ? 1 - outputAxis(layer) : outputAxis(layer);
  let ints: Value;
  if (bits === 8) {
    const dims = transposes ? layer.weight.dims.toReversed() : layer.weight.dims;
    const perm = dims.map((_, i) => i);
    const layout = { perm: axis === 1 ? perm.reverse() : perm, split: 1 };
    const data = Int8Array.from(fromMatrix(Float32Array.from(q), dims, layout));
    ints = graph.constant(Tensor.from('int8', dims, data), `${layer.weight.name}/int8`);
  } else {
    const whole = unpacked(graph, layer, { bits, q, scales: new Float32Array(rows).fill(1) }, opset);
    ints = graph.op('Cast', [whole], { to: dtypeCode('int8') });
    if (transposes) ints = graph.op('Transpose', [ints], { perm: [1, 0] });
  }
  const weight = graph.op(
    'DequantizeLinear',
    [
      ints,
      graph.constant(Tensor.float32([rows], scales), `${layer.weight.name}/scale`),
      graph.constant(Tensor.from('int8', [rows], new Int8Array(rows)), 'zero'),
    ],
    { axis },
  );
  for (const value of transposes ? readers.map(({ output }) => output) : [quantized]) {
    graph.replaceUses(value, weight);
  }
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

import { straightThrough } from '../graph/autodiff/index.js';
import { cloneModel } from '../graph/clone.js';
import { isFloat } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { inlineFunctions, liftConstants } from '../graph/rewrite/index.js';
import { Tensor } from '../graph/tensor.js';
import { tensorType, type Value } from '../graph/value.js';
import { upgradeOpset } from '../onnx/index.js';
import { type BatchNormMode, useBatchStatistics } from './batch-statistics.js';

/** A constant of a model that could be trained. */
export interface Weight {
  /** The name of the initializer, or of the output of the `Constant` node. */
  readonly name: string;
  readonly tensor: Tensor;
  /** The nodes that use it, and as which of their inputs. */
  readonly uses: readonly { readonly node: Node; readonly input: number }[];
}

export type WeightSelector = (weight: Weight) => boolean;

export interface TrainableOptions {
  /**
   * How BatchNormalization nodes normalize: `frozen` (default) by their stored statistics, as in inference, or `batch`
   * by those of the batch. Those that an exporter folded into convolutions come back with `unfoldBatchNorm`; without
   * it, the convolution and its bias train as they are.
   */
  readonly batchNormalization?: BatchNormMode;
  /** The operator set that the model is raised to where it is older; default 17. */
  readonly opset?: number;
}

export interface Trainable {
  /** A copy of the model in which every parameter is an input instead of a constant. */
  readonly model: Model;
  /** The parameters by name: the graph's input, and the value to start from. */
  readonly parameters: ReadonlyMap<string, { readonly value: Value; readonly tensor: Tensor }>;
  /**
   * With `batchNormalization: 'batch'`, the next value of each running statistic, by the name of its initializer.
   * The statistics themselves stay constants.
   */
  readonly updates: ReadonlyMap<string, Value>;
}

/** Inputs that hold settings rather than weights. */
const SETTINGS: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [3, 4],
  Clip: [1, 2],
  DequantizeLinear: [1],
  Dropout: [1],
  LSTM: [4],
  GRU: [4],
  MatMulBnb4: [2],
  MatMulNBits: [2, 3],
  Pad: [2],
  Pow: [1],
  QuantizeLinear: [1],
  Resize: [1, 2],
  RotaryEmbedding: [1, 2, 3],
  Upsample: [1],
};

/**
 * Whether a constant looks like a weight: real numbers, more than one (a lone number is usually part of a formula,
 * like the 6 of a hard swish), and not a setting of an operator, like the running statistics of a BatchNormalization.
 */
export const isWeight: WeightSelector = ({ tensor, uses }) =>
  tensor.size > 1 && uses.some(({ node, input }) => !SETTINGS[node.opType]?.includes(input));

/**
 * Makes a model that was read from disk trainable: a copy whose chosen constants, initializers or `Constant` nodes,
 * are inputs. Integers cannot be chosen; where the model rounds what it computes (QuantizeLinear before
 * DequantizeLinear), gradients pass straight through. Give the result to `gradients`, and trained values to `withWeights`.
 * @param selector which constants to train; default `isWeight`
 * @throws WhittleError where nothing is chosen, or the operator set cannot be raised
 */
export function trainable(
  model: Model,
  selector: WeightSelector = isWeight,
  { batchNormalization = 'frozen', opset = 17 }: TrainableOptions = {},
): Trainable {
  const copy = cloneModel(model);
  inlineFunctions(copy);
  // With ranks known, operators whose axes changed their meaning stay single nodes.
  inferShapes(copy);
  upgradeOpset(copy, opset);
  const { graph } = copy;
  liftConstants(graph);
  passThroughQuantizers(graph);
  const parameters = new Map<string, { value: Value; tensor: Tensor }>();
  for (const value of [...graph.initializers]) {
    const tensor = value.initializer;
    if (!(tensor instanceof Tensor) || !isFloat(tensor.dtype) || graph.inputs.includes(value)) continue;
    if (!selector({ name: value.name, tensor, uses: usesOf(value) })) continue;
    value.initializer = undefined;
    value.type = tensorType(tensor.dtype, tensor.dims);
    value.declared = true;
    graph.initializers.delete(value);
    graph.inputs.push(value);
    parameters.set(value.name, { value, tensor });
  }
  if (parameters.size === 0) {
    throw new WhittleError('no constant of the model was chosen to be trained', {
      ...(model.path !== undefined && { file: model.path }),
      hint: 'A selector gets each constant with its name, tensor and uses; isWeight is the default',
    });
  }
  const updates = batchNormalization === 'batch' ? useBatchStatistics(copy) : new Map<string, Value>();
  return { model: copy, parameters, updates };
}

/** Integers have no gradient: a pair of quantizers would cut off everything before it. */
function passThroughQuantizers(graph: Graph): void {
  for (const node of [...graph.nodes]) {
    const [quantized, scale] = node.inputs;
    const quantizer = quantized?.producer;
    if (node.opType !== 'DequantizeLinear' || quantizer?.opType !== 'QuantizeLinear' || !scale) continue;
    const rounded = node.output;
    const readers = rounded.consumers;
    const passed = straightThrough(graph, quantizer.inputs[0]!, rounded);
    for (const reader of readers) {
      reader.inputs.forEach((input, i) => {
        if (input === rounded) reader.setInput(i, passed);
      });
    }
  }
}

/**
 * A copy of a model with other values in the constants of the given names.
 * @throws WhittleError where the model has no such constant, or one of another dtype or shape
 */
export function withWeights(model: Model, values: Readonly<Record<string, Tensor>>): Model {
  const copy = cloneModel(model);
  const { graph } = copy;
  const constants = new Map([...graph.initializers].map(value => [value.name, value]));
  const nodes = new Map(
    [...graph.nodes].filter(node => node.opType === 'Constant').map(node => [node.output.name, node]),
  );
  for (const [name, tensor] of Object.entries(values)) {
    const value = constants.get(name);
    const node = nodes.get(name);
    const old = value?.initializer ?? (node && Graph.constantOf(node.output));
    if (!(old instanceof Tensor)) {
      throw new WhittleError('the model has no constant of that name', {
        value: name,
        hint: 'Names are those of its initializers, and of what its Constant nodes give',
      });
    }
    if (old.dtype !== tensor.dtype || old.dims.join() !== tensor.dims.join()) {
      throw new WhittleError(
        `the constant is ${old.dtype} [${old.dims.join(', ')}], not ${tensor.dtype} [${tensor.dims.join(', ')}]`,
        { value: name },
      );
    }
    if (value) value.initializer = tensor;
    else {
      node!.attributes.clear(); // value_floats and its like
      node!.setAttribute('value', tensor);
    }
  }
  return copy;
}

const usesOf = (value: Value): Weight['uses'] =>
  value.consumers.flatMap(node =>
    node.inputs.flatMap((input, i) => (input === value ? [{ node, input: i }] : [])),
  );

import { graphCost } from '../../graph/cost.js';
import { analyzeShapes, type ShapeAnalysis } from '../../graph/infer/index.js';
import { sizeOf } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { Network } from '../../nn/index.js';
import type { DenseLayer } from './low-rank.js';
import { type MatrixForm, matrixShape } from './matricize.js';

export interface Cost {
  readonly parameters: number;
  /** Of the forward pass for one example; `undefined` where shapes are not known. */
  readonly flops: number | undefined;
}

/** What a layer costs as it is, and what each rank of its factors costs. */
export interface LayerCost {
  readonly dense: Cost;
  readonly perRank: Cost;
}

/** Shapes of a network's values for one example. */
export class NetworkShapes {
  readonly inputShapes: Readonly<Record<string, readonly number[]>>;
  private readonly analysis: ShapeAnalysis;
  private readonly network: Network;

  /** @param sizes of symbolic dimensions; what is not named is 1 */
  constructor(network: Network, sizes: Readonly<Record<string, number>> = {}) {
    this.network = network;
    this.inputShapes = Object.fromEntries(
      network.inputs.map(({ name, shape = [] }) => [
        name,
        shape.map(dim => (typeof dim === 'number' ? dim : (sizes[String(dim)] ?? 1))),
      ]),
    );
    this.analysis = analyzeShapes(network.toModel(), { inputShapes: this.inputShapes });
  }

  of(value: Value): readonly number[] | undefined {
    return this.analysis.fixedShapeOf(value);
  }

  /** Floating-point operations of the whole network; `undefined` where some node's are not known. */
  get flops(): number | undefined {
    const { flops, unknown } = graphCost(this.network.toModel(), { inputShapes: this.inputShapes });
    return unknown.length === 0 ? flops : undefined;
  }
}

/** Parameters and operations of a layer, dense and for each rank. */
export function layerCost(layer: DenseLayer, form: MatrixForm, shapes: NetworkShapes): LayerCost {
  const { rows, cols } = matrixShape(layer, form);
  const input = shapes.of(layer.input);
  const output = shapes.of(layer.output);
  const known = input && output;
  const { dense, left, right } = known
    ? operations(layer, form, input, output)
    : { dense: 0, left: 0, right: 0 };
  return {
    dense: { parameters: rows * cols, flops: known ? 2 * dense : undefined },
    perRank: { parameters: rows + cols, flops: known ? 2 * (left + right) : undefined },
  };
}

/** Multiplications: of the layer, and for each rank of its left (second) and right (first) factor. */
function operations(
  layer: DenseLayer,
  form: MatrixForm,
  input: readonly number[],
  output: readonly number[],
): { dense: number; left: number; right: number } {
  const { rows, cols } = matrixShape(layer, form);
  if (layer.kind === 'linear') {
    const vectors = sizeOf(output.slice(0, -1));
    return { dense: vectors * rows * cols, left: vectors * rows, right: vectors * cols };
  }
  const positions = output[0]! * sizeOf(output.slice(2));
  const dense = positions * rows * cols;
  if (form === 'channel') return { dense, left: positions * rows, right: positions * cols };
  // The first convolution goes over the columns only: the input's rows stay.
  const between = output[0]! * input[2]! * output[3]!;
  return { dense, left: positions * rows, right: between * cols };
}

import { type DType, Graph, Model, Tensor, tensorType, type Value } from '../../src/graph/index.js';
import { Random } from '../../src/random/random.js';
import type { Tensors } from '../../src/runtime/index.js';

/** A model of one compressible weight, with inputs for it. */
export interface OneLayer {
  readonly name: string;
  readonly model: Model;
  readonly samples: readonly Tensors[];
}

/** Normal numbers, a little off zero so that a mean is there to be seen. */
export function numbers(random: Random, count: number, mean = 0.3): Float32Array {
  return Float32Array.from({ length: count }, () => random.normal() + mean);
}

interface Recipe {
  /** Shape of the activation, for each sample. */
  readonly x: readonly (readonly number[])[];
  readonly weight: readonly number[];
  readonly xDtype?: DType;
  build(graph: Graph, x: Value, weight: Value, constant: (dims: readonly number[]) => Value): Value | Value[];
}

const conv =
  (attributes: Record<string, number | number[] | string>) =>
  (graph: Graph, x: Value, weight: Value): Value =>
    graph.op('Conv', [x, weight], attributes);

const RECIPES: Readonly<Record<string, Recipe>> = {
  'MatMul x · W': {
    x: [
      [2, 9, 12],
      [1, 14, 12],
    ],
    weight: [12, 10],
    build: (graph, x, w) => graph.op('MatMul', [x, w]),
  },
  'MatMul W · x': {
    x: [
      [2, 12, 9],
      [1, 12, 14],
    ],
    weight: [10, 12],
    build: (graph, x, w) => graph.op('MatMul', [w, x]),
  },
  'Gemm with bias': {
    x: [[30, 12]],
    weight: [12, 10],
    build: (graph, x, w, constant) => graph.op('Gemm', [x, w, constant([10])]),
  },
  'Gemm transA, transB, alpha, beta': {
    x: [
      [12, 30],
      [12, 7],
    ],
    weight: [10, 12],
    build: (graph, x, w, constant) =>
      graph.op('Gemm', [x, w, constant([10])], { transA: 1, transB: 1, alpha: 0.5, beta: 2 }),
  },
  'Gemm W · x': {
    x: [[12, 30]],
    weight: [10, 12],
    build: (graph, x, w) => graph.op('Gemm', [w, x]),
  },
  'Gemm Wᵀ · xᵀ': {
    x: [[30, 12]],
    weight: [12, 10],
    build: (graph, x, w) => graph.op('Gemm', [w, x], { transA: 1, transB: 1 }),
  },
  'Conv 2-D': {
    x: [
      [2, 4, 9, 8],
      [1, 4, 6, 11],
    ],
    weight: [6, 4, 3, 3],
    build: conv({ kernel_shape: [3, 3], pads: [1, 0, 1, 2], strides: [2, 1] }),
  },
  'Conv 2-D dilated': {
    x: [[2, 4, 12, 10]],
    weight: [6, 4, 3, 2],
    build: conv({ dilations: [2, 3], pads: [2, 1, 2, 2] }),
  },
  'Conv 2-D padded to the same size': {
    x: [[2, 4, 12, 10]],
    weight: [6, 4, 3, 2],
    build: conv({ auto_pad: 'SAME_UPPER', strides: [2, 1] }),
  },
  'Conv 2-D in groups': {
    x: [[2, 6, 9, 8]],
    weight: [8, 3, 3, 3],
    build: conv({ group: 2, pads: [1, 1, 1, 1] }),
  },
  'Conv 2-D depthwise': {
    x: [[2, 8, 9, 8]],
    weight: [8, 1, 3, 3],
    build: conv({ group: 8, pads: [1, 1, 1, 1], strides: [2, 2] }),
  },
  'Conv 1×1': { x: [[2, 12, 5, 6]], weight: [10, 12, 1, 1], build: conv({}) },
  'Conv 1-D in groups': {
    x: [[2, 6, 20]],
    weight: [8, 3, 5],
    build: conv({ group: 2, strides: [2], pads: [2, 2] }),
  },
  ConvTranspose: {
    x: [[2, 8, 5, 4]],
    weight: [8, 6, 2, 2],
    build: (graph, x, w) => graph.op('ConvTranspose', [x, w], { strides: [2, 2] }),
  },
  Gather: {
    x: [
      [2, 5],
      [1, 3],
    ],
    weight: [20, 12],
    xDtype: 'int64',
    build: (graph, x, w) => graph.op('Gather', [w, x], { axis: 0 }),
  },
  LSTM: {
    x: [[7, 2, 10]],
    weight: [1, 24, 10],
    build: (graph, x, w, constant) =>
      graph.op('LSTM', [x, w, constant([1, 24, 6])], { hidden_size: 6 }, { outputs: 3 }),
  },
  'MatMul of a batch of weights': {
    x: [[3, 9, 12]],
    weight: [3, 12, 10],
    build: (graph, x, w) => graph.op('MatMul', [x, w]),
  },
  'a weight shared by two layers': {
    x: [[2, 9, 12]],
    weight: [12, 12],
    build: (graph, x, w) => {
      const hidden = graph.op('MatMul', [x, w]);
      return [hidden, graph.op('MatMul', [graph.op('Relu', [hidden]), w])];
    },
  },
  'a table tied to the last layer': {
    x: [[2, 5]],
    weight: [20, 12],
    xDtype: 'int64',
    build: (graph, x, w, constant) => {
      const tokens = graph.op('Gather', [w, x], { axis: 0 });
      const rows = graph.op('Reshape', [tokens, graph.constant(Tensor.int64([-1, 12]), 'dims')]);
      return graph.op('Gemm', [rows, w, constant([20])], { transB: 1 });
    },
  },
};

export const LAYER_NAMES = Object.keys(RECIPES);

/** Builds a model of the table above; the weight's site is the first (and but for LSTM the only one). */
export function oneLayer(
  name: string,
  { opset = 17, dtype = 'float32', seed = 1 }: { opset?: number; dtype?: DType; seed?: number } = {},
): OneLayer {
  const recipe = RECIPES[name]!;
  const random = new Random(seed, name);
  const graph = new Graph();
  const float = (dims: readonly number[]) =>
    Tensor.fromNumbers(
      dtype,
      dims,
      numbers(
        random,
        dims.reduce((a, b) => a * b, 1),
      ),
    );
  const rank = recipe.x[0]!.length;
  const x = graph.addInput('x', tensorType(recipe.xDtype ?? dtype, new Array<null>(rank).fill(null)));
  const weight = graph.constant(float(recipe.weight), 'weight');
  const outputs = recipe.build(graph, x, weight, dims => graph.constant(float(dims), 'other'));
  for (const [i, output] of [outputs].flat().entries()) {
    output.type = tensorType(dtype);
    graph.addOutput(output, `y${i}`);
  }
  const model = new Model(graph);
  model.opsets.set('', opset);
  model.irVersion = 8;
  const samples = recipe.x.map(dims => {
    const size = dims.reduce((a, b) => a * b, 1);
    if (recipe.xDtype !== 'int64') return { x: float(dims) };
    return {
      x: Tensor.int64(
        Array.from({ length: size }, () => random.integer(recipe.weight[0]!)),
        dims,
      ),
    };
  });
  return { name, model, samples };
}

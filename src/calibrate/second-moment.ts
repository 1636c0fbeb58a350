import type { Site } from '../compress/sites.js';
import type { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';

/**
 * What a layer's weight is multiplied with, as vectors: rows of a matrix, or the patches of a convolution. Layers that
 * read the same vectors (query, key and value of an attention) have the same key, and share one second moment.
 */
export interface InputVectors {
  readonly key: string;
  /** The activation that holds them. */
  readonly activation: Value;
  /** Length of a vector: inputs of a linear layer, in/groups · kh · kw of a convolution. */
  readonly width: number;
  /** Groups of a convolution, each with vectors of its own. */
  readonly groups: number;
  /** Adds nodes that lay the vectors out as (batch, groups, width, positions). */
  readonly build: (graph: Graph, activation: Value) => Value;
}

/** The vectors that each use of a site reads; `undefined` for kinds whose error is not a matter of second moments. */
export function inputVectors(site: Site): InputVectors[] | undefined {
  if (site.nested || site.layout.split !== 1) return undefined;
  if (site.kind === 'linear') return site.uses.map(({ node, index }) => rowVectors(site, node, index));
  if (site.kind === 'conv') return site.uses.map(({ node }) => patchVectors(site, node));
  return undefined;
}

/** Adds nodes that sum over all vectors of one run: Σ x xᵀ (groups, width, width) and Σ x (groups, width). */
export function sumNodes(graph: Graph, vectors: Value, opset: number): { second: Value; first: Value } {
  const transposed = graph.op('Transpose', [vectors], { perm: [0, 1, 3, 2] });
  return {
    second: reduceSum(graph, graph.op('MatMul', [vectors, transposed]), [0], opset),
    first: reduceSum(graph, vectors, [0, 3], opset),
  };
}

function rowVectors(site: Site, node: Node, index: number): InputVectors {
  const activation = node.inputs[1 - index]!;
  const width = site.tensor.dims[site.layout.perm[1]!]!;
  // The vectors are the rows of the activation for x · W, its columns for W · x; Gemm may transpose it first.
  const onLeft = index === 0;
  const flipped = node.opType === 'Gemm' && node.int(onLeft ? 'transB' : 'transA', 0) === 1;
  const columns = onLeft !== flipped;
  return {
    key: `${columns ? 'columns' : 'rows'} ${activation.name}`,
    activation,
    width,
    groups: 1,
    build(graph, x) {
      if (columns) {
        const rank = activation.shape?.length ?? 2;
        const perm = Array.from({ length: rank }, (_, axis) => axis);
        perm.splice(rank - 2, 2, rank - 1, rank - 2);
        x = graph.op('Transpose', [x], { perm });
      }
      const rows = graph.op('Reshape', [x, shape(graph, [1, 1, -1, width])]);
      return graph.op('Transpose', [rows], { perm: [0, 1, 3, 2] });
    },
  };
}

function patchVectors(site: Site, node: Node): InputVectors {
  const activation = node.inputs[0]!;
  const groups = node.int('group', 1);
  const [, channels, ...kernel] = site.tensor.dims as [number, number, ...number[]];
  const width = channels * sizeOf(kernel);
  const geometry = ['strides', 'pads', 'dilations'].map(name => node.ints(name)?.join(' ') ?? '');
  return {
    key: ['patches', activation.name, groups, kernel, ...geometry, node.string('auto_pad', '')].join('|'),
    activation,
    width,
    groups,
    build(graph, x) {
      // A convolution with one-hot kernels lays out the patches: (batch, groups · width, …positions).
      const { kernel_shape: _, ...attributes } = Object.fromEntries(node.attributes);
      const kernels = graph.constant(oneHotKernels(groups, channels, kernel), 'patches');
      const patches = graph.op('Conv', [x, kernels], attributes);
      return graph.op('Reshape', [patches, shape(graph, [0, groups, width, -1])]);
    },
  };
}

function oneHotKernels(groups: number, channels: number, kernel: readonly number[]): Tensor {
  const width = channels * sizeOf(kernel);
  const data = new Float32Array(groups * width * width);
  for (let g = 0; g < groups; g++) for (let i = 0; i < width; i++) data[(g * width + i) * width + i] = 1;
  return Tensor.float32([groups * width, channels, ...kernel], data);
}

function reduceSum(graph: Graph, value: Value, axes: readonly number[], opset: number): Value {
  // The axes became an input with opset 13.
  return opset < 13
    ? graph.op('ReduceSum', [value], { axes, keepdims: 0 })
    : graph.op('ReduceSum', [value, shape(graph, axes)], { keepdims: 0 });
}

const shape = (graph: Graph, dims: readonly number[]): Value => graph.constant(Tensor.int64(dims), 'dims');

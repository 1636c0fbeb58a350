import type { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import type { Site } from '../compress/sites.js';

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
  /** Adds nodes that give Σ x xᵀ over one run, (groups, width, width) float32. */
  readonly build: (graph: Graph, activation: Value, opset: number) => Value;
}

/** The vectors that each use of a site reads; `undefined` for kinds whose error is not a matter of second moments. */
export function inputVectors(site: Site): InputVectors[] | undefined {
  if (site.nested || site.layout.split !== 1) return undefined;
  if (site.kind === 'linear') return site.uses.map(({ node, index }) => rowVectors(site, node, index));
  if (site.kind === 'conv') return site.uses.map(({ node }) => patchVectors(site, node));
  return undefined;
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
    build(graph, x, opset) {
      if (columns) {
        // (…, width, n): sum over the batch of x · xᵀ.
        const stacked = graph.op('Reshape', [x, constant(graph, [-1, width, lastDim(activation)])]);
        const transposed = graph.op('Transpose', [stacked], { perm: [0, 2, 1] });
        return sumOverFirst(graph, graph.op('MatMul', [stacked, transposed]), opset);
      }
      const flat = graph.op('Reshape', [x, constant(graph, [-1, width])]);
      const moment = graph.op('MatMul', [graph.op('Transpose', [flat], { perm: [1, 0] }), flat]);
      return graph.op('Reshape', [moment, constant(graph, [1, width, width])]);
    },
  };
}

/** -1 where it is not fixed; only one dimension of a Reshape may be open, so that the batch must then be one. */
function lastDim(activation: Value): number {
  const dim = activation.shape?.at(-1);
  return typeof dim === 'number' ? dim : -1;
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
    build(graph, x, opset) {
      // A convolution with one-hot kernels lays out the patches: (batch, groups · width, …positions).
      const { kernel_shape: _, ...attributes } = Object.fromEntries(node.attributes);
      const patches = graph.op('Conv', [x, graph.constant(oneHotKernels(groups, channels, kernel))], attributes);
      const split = graph.op('Reshape', [patches, constant(graph, [0, groups, width, -1])]);
      const transposed = graph.op('Transpose', [split], { perm: [0, 1, 3, 2] });
      return sumOverFirst(graph, graph.op('MatMul', [split, transposed]), opset);
    },
  };
}

function oneHotKernels(groups: number, channels: number, kernel: readonly number[]): Tensor {
  const width = channels * sizeOf(kernel);
  const data = new Float32Array(groups * width * width);
  for (let g = 0; g < groups; g++) for (let i = 0; i < width; i++) data[(g * width + i) * width + i] = 1;
  return Tensor.float32([groups * width, channels, ...kernel], data);
}

function sumOverFirst(graph: Graph, value: Value, opset: number): Value {
  // The axes became an input with opset 13.
  return opset < 13
    ? graph.op('ReduceSum', [value], { axes: [0], keepdims: 0 })
    : graph.op('ReduceSum', [value, constant(graph, [0])], { keepdims: 0 });
}

const constant = (graph: Graph, dims: readonly number[]): Value => graph.constant(Tensor.int64(dims), 'dims');

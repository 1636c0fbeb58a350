import type { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import { layOutPatches } from './patches.js';
import type { Site, SiteUse } from './sites.js';

/** Sums over every vector x that a layer's weight met on the calibration inputs, in float64, group by group. */
export interface Moment {
  readonly groups: number;
  readonly width: number;
  /** How many vectors, per group. */
  count: number;
  /** Σ x xᵀ, (width, width) row-major, for each group. */
  readonly second: readonly Float64Array<ArrayBuffer>[];
  /** Σ x, for each group. */
  readonly first: readonly Float64Array[];
}

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
  /** Adds nodes that lay the vectors out. `activation` is float32 here, whatever the model computes with. */
  readonly build: (graph: Graph, activation: Value, opset: number) => LaidOut;
}

/** Vectors as the rows of one matrix per group, (groups, count, width), or as its columns, (groups, width, count). */
export interface LaidOut {
  readonly value: Value;
  readonly as: 'rows' | 'columns';
}

/**
 * The vectors that each use of a site reads, one entry for each use; `undefined` for kinds whose error is not a matter
 * of second moments, and where the rank of an activation is unknown.
 */
export function inputVectors(site: Site): InputVectors[] | undefined {
  if (site.nested || site.layout.split !== 1) return undefined;
  const uses = site.uses.filter(use => readsAlike(use, site.uses[0]!));
  const all =
    site.kind === 'linear'
      ? uses.map(({ node, index }) => rowVectors(site, node, index))
      : site.kind === 'conv'
        ? uses.map(({ node }) => patchVectors(site, node))
        : [];
  const known = all.filter(vectors => vectors !== undefined);
  return known.length > 0 && known.length === all.length ? known : undefined;
}

/** A tied weight has uses of other kinds, to which its layout as a matrix does not apply. */
function readsAlike({ node, index }: SiteUse, first: SiteUse): boolean {
  const attributes = ['transA', 'transB', 'group'];
  return (
    node.opType === first.node.opType &&
    index === first.index &&
    attributes.every(name => node.int(name, 0) === first.node.int(name, 0))
  );
}

/** Adds nodes that sum over all vectors of one run: Σ x xᵀ (groups, width, width) and Σ x (groups, width). */
export function sumNodes(
  graph: Graph,
  { value, as }: LaidOut,
  opset: number,
): { second: Value; first: Value } {
  const flipped = graph.op('Transpose', [value], { perm: [0, 2, 1] });
  return {
    second: graph.op('MatMul', as === 'rows' ? [flipped, value] : [value, flipped]),
    first: reduceSum(graph, value, [as === 'rows' ? 1 : 2], opset),
  };
}

function rowVectors(site: Site, node: Node, index: number): InputVectors | undefined {
  const activation = node.inputs[1 - index]!;
  const width = site.tensor.dims[site.layout.perm[1]!]!;
  const rank = activation.shape?.length;
  if (rank === undefined && node.opType !== 'Gemm') return undefined;
  // The vectors are the rows of the activation for x · W, its columns for W · x; Gemm may transpose it first.
  const onLeft = index === 0;
  const flipped = node.opType === 'Gemm' && node.int(onLeft ? 'transB' : 'transA', 0) === 1;
  const columns = onLeft !== flipped && rank !== 1;
  return {
    key: `${columns ? 'columns' : 'rows'} ${activation.name}`,
    activation,
    width,
    groups: 1,
    build(graph, x) {
      if (columns && (rank ?? 2) === 2) {
        return { value: graph.op('Reshape', [x, shape(graph, [1, width, -1])]), as: 'columns' };
      }
      if (columns) {
        const perm = Array.from({ length: rank! }, (_, axis) => axis);
        perm.splice(rank! - 2, 2, rank! - 1, rank! - 2);
        x = graph.op('Transpose', [x], { perm });
      }
      return { value: graph.op('Reshape', [x, shape(graph, [1, -1, width])]), as: 'rows' };
    },
  };
}

function patchVectors(site: Site, node: Node): InputVectors {
  const activation = node.inputs[0]!;
  const groups = node.int('group', 1);
  const [, channels, ...kernel] = site.tensor.dims as [number, number, ...number[]];
  const geometry = ['strides', 'pads', 'dilations'].map(name => node.ints(name)?.join(' ') ?? '');
  return {
    key: ['patches', activation.name, groups, kernel, ...geometry, node.string('auto_pad', '')].join('|'),
    activation,
    width: channels * sizeOf(kernel),
    groups,
    build: (graph, x, opset) => ({
      value: layOutPatches(graph, x, node, { groups, channels, kernel }, opset),
      as: 'columns',
    }),
  };
}

function reduceSum(graph: Graph, value: Value, axes: readonly number[], opset: number): Value {
  // The axes became an input with opset 13.
  return opset < 13
    ? graph.op('ReduceSum', [value], { axes, keepdims: 0 })
    : graph.op('ReduceSum', [value, shape(graph, axes)], { keepdims: 0 });
}

const shape = (graph: Graph, dims: readonly number[]): Value => graph.constant(Tensor.int64(dims), 'dims');

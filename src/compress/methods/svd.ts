import type { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { foldFloat16, foldIntegers } from '../forms/fold.js';
import { toMatrix } from '../matrix.js';
import type { Candidate, Method, RewriteTarget } from '../method.js';
import { smallestRank } from '../rank-search.js';
import type { Site, SiteUse, WeightLayout } from '../sites.js';
import { factorize, type GroupedFactors, maxRank } from './factors.js';
import { formatLabel, INT4, INT8, quantizeForStorage, type StorageFormat } from './quantize.js';

/**
 * Truncated SVD, W ≈ U Σ Vᵀ at the smallest rank that keeps the layer's error rule, the factors stored as float32,
 * float16, int8 or int4. Σ is never rounded: it goes into the scales of the first factor. A convolution is the matrix
 * (out, in · kh · kw), which runs as a convolution to `rank` channels and then a 1×1.
 */
export function svdMethod(name: string, formats: readonly StorageFormat[]): Method {
  return {
    name,
    async *propose(site, probe, settings, best) {
      if (!isFactorizable(site)) return;
      const factors = await factorize(toMatrix(site.tensor, site.layout), groupsOf(site));
      for (const format of formats) {
        const limit = Math.min(maxRank(factors), rankWithin(factors, format, Math.min(best(), probe.bytes)));
        const found = await smallestRank(limit, settings.error, async rank => {
          const candidate = svdCandidate(site, factors, rank, format, name);
          return { candidate, ...(await probe.measure(candidate)) };
        });
        if (found) yield found;
      }
    },
  };
}

export const svd = svdMethod('svd', ['float32']);
export const svdQuantize = svdMethod('svd+quantize', [INT4, INT8, 'float16']);

/** Whether every use of the site can run as two layers. */
export function isFactorizable(site: Site): boolean {
  if (site.mixed || site.layout.split !== 1) return false;
  if (site.kind === 'embedding') return true;
  if (site.kind === 'conv') return site.uses.every(({ index }) => index === 1);
  if (site.kind !== 'linear') return false;
  return site.uses.every(({ node, index }) => node.opType === 'MatMul' || index === 1);
}

const groupsOf = (site: Site): number => (site.kind === 'conv' ? site.uses[0]!.node.int('group', 1) : 1);

/** The largest rank whose factors take fewer than `bytes`. */
function rankWithin(factors: GroupedFactors, format: StorageFormat, bytes: number): number {
  const bits = format === 'float32' ? 32 : format === 'float16' ? 16 : format.bits;
  const perRank = ((factors.rows + factors.groups * factors.cols) * bits) / 8;
  return Math.ceil(bytes / perRank) - 1;
}

function svdCandidate(
  site: Site,
  factors: GroupedFactors,
  rank: number,
  format: StorageFormat,
  method: string,
): Candidate {
  return {
    method,
    label: format === 'float32' ? 'svd' : `svd ${formatLabel(format)}`,
    rank,
    apply(target) {
      const write = writers[site.kind as keyof typeof writers];
      const pair = write(target, site, factors, rank, format);
      for (const use of target.uses) replaceNode(target.graph, use.node, pair(use));
    },
  };
}

/** Makes the two factors once and returns what to put in place of each use. */
type Writer = (
  target: RewriteTarget,
  site: Site,
  factors: GroupedFactors,
  rank: number,
  format: StorageFormat,
) => (use: SiteUse) => Value;

// Layouts whose rows are the components, so that each component has its own scales.
const COMPONENTS_FIRST: WeightLayout = { perm: [0, 1], split: 1 };
const COMPONENTS_LAST: WeightLayout = { perm: [1, 0], split: 1 };

const writers: Readonly<Record<'linear' | 'conv' | 'embedding', Writer>> = {
  linear(target, site, factors, rank, format) {
    const { graph } = target;
    const onLeft = site.uses[0]!.node.opType === 'MatMul' && site.uses[0]!.index === 0;
    // W (out, in) = (U)(ΣVᵀ); on the right-hand side of the activations both are transposed.
    const inner = onLeft
      ? store(target, site, factors.inner(rank), [rank, factors.cols], COMPONENTS_FIRST, format)
      : store(
          target,
          site,
          transpose(factors.inner(rank), rank),
          [factors.cols, rank],
          COMPONENTS_LAST,
          format,
        );
    const outer = onLeft
      ? store(target, site, factors.outer(rank), [factors.rows, rank], COMPONENTS_LAST, format)
      : store(
          target,
          site,
          transpose(factors.outer(rank), factors.rows),
          [rank, factors.rows],
          COMPONENTS_FIRST,
          format,
        );
    return ({ node, index }) => {
      const x = node.inputs[1 - index]!;
      if (node.opType === 'Gemm') {
        const hidden = graph.op('Gemm', [x, inner], { transA: node.int('transA', 0) });
        return graph.op('Gemm', [hidden, outer, node.inputs[2] ?? null].slice(0, node.inputs[2] ? 3 : 2), {
          alpha: node.float('alpha', 1),
          beta: node.float('beta', 1),
        });
      }
      if (onLeft) return graph.op('MatMul', [outer, graph.op('MatMul', [inner, x])]);
      return graph.op('MatMul', [graph.op('MatMul', [x, inner]), outer]);
    };
  },

  conv(target, site, factors, rank, format) {
    const { graph } = target;
    const { groups } = factors;
    const [out, ...kernel] = site.tensor.dims;
    const ones = kernel.slice(1).map(() => 1);
    const identity = site.tensor.dims.map((_, axis) => axis);
    const swapped = [1, 0, ...identity.slice(2)];
    const inner = store(
      target,
      site,
      factors.inner(rank),
      [groups * rank, ...kernel],
      { perm: identity, split: 1 },
      format,
    );
    const outer = store(
      target,
      site,
      factors.outer(rank),
      [out!, rank, ...ones],
      { perm: swapped, split: 1 },
      format,
    );
    return ({ node }) => {
      const attributes = Object.fromEntries(node.attributes);
      const hidden = graph.op('Conv', [node.inputs[0]!, inner], attributes);
      const bias = node.inputs[2] ? [node.inputs[2]] : [];
      return graph.op('Conv', [hidden, outer, ...bias], { group: groups, kernel_shape: ones });
    };
  },

  embedding(target, site, factors, rank, format) {
    const { graph } = target;
    // Rows of the table are the outputs: table (tokens, dim) = U (ΣVᵀ).
    const outer = store(target, site, factors.outer(rank), [factors.rows, rank], COMPONENTS_LAST, format);
    const inner = store(target, site, factors.inner(rank), [rank, factors.cols], COMPONENTS_FIRST, format);
    return ({ node }) =>
      graph.op('MatMul', [graph.op('Gather', [outer, node.inputs[1]!], { axis: 0 }), inner]);
  },
};

/** Stores a factor in its format; the value has the dtype of the original weight. */
function store(
  { graph, opset }: RewriteTarget,
  site: Site,
  data: Float32Array,
  dims: readonly number[],
  layout: WeightLayout,
  format: StorageFormat,
): Value {
  const target = { dims, dtype: site.tensor.dtype, layout, opset };
  if (format === 'float32') {
    return graph.constant(Tensor.fromNumbers(site.tensor.dtype, dims, data), 'f');
  }
  if (format === 'float16') return foldFloat16(graph, data, target);
  const matrix = toMatrix(Tensor.float32(dims, data), layout);
  return foldIntegers(graph, quantizeForStorage(matrix, format), target);
}

function transpose(data: Float32Array, rows: number): Float32Array {
  const cols = data.length / rows;
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) result[c * rows + r] = data[r * cols + c]!;
  return result;
}

function replaceNode(graph: Graph, node: Node, output: Value): void {
  output.producer!.name = node.name;
  graph.replaceUses(node.output, output);
  graph.remove(node);
}

/** Elements of both factors at a rank. */
export const factorElements = (factors: GroupedFactors, rank: number): number =>
  rank * (factors.rows + factors.groups * factors.cols);

export const elementsOf = (site: Site): number => sizeOf(site.tensor.dims);

import type { Site, SiteUse, WeightLayout } from '../../calibrate/sites.js';
import type { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import type { Value } from '../../graph/value.js';
import type { RewriteTarget } from '../method.js';
import type { StoredFactor } from './factor.js';

/** A weight as outer · inner, both stored with their components as rows. */
export interface FactorPair {
  readonly rank: number;
  /** (groups · rank, cols) */
  readonly inner: StoredFactor;
  /** (rank, rows) */
  readonly outer: StoredFactor;
}

/** Whether every use of the site can run as two layers. */
export function isFactorizable(site: Site): boolean {
  if (site.mixed || site.nested || site.layout.split !== 1) return false;
  if (site.kind === 'embedding') return true;
  if (site.kind === 'conv') return site.uses.every(({ index }) => index === 1);
  if (site.kind !== 'linear') return false;
  return site.uses.every(({ node, index }) => node.opType === 'MatMul' || index === 1);
}

/**
 * Writes a layer as two layers with `rank` values between them: MatMul or Gemm twice, a convolution and a 1×1, or a
 * narrower table and a MatMul. The factors are stored once and shared by all uses.
 */
export function applyFactors(target: RewriteTarget, site: Site, pair: FactorPair): void {
  const write = WRITERS[site.kind as keyof typeof WRITERS](target, site, pair);
  for (const use of target.uses) replace(target.graph, use.node, write(use));
}

/** Stores both factors and returns what stands for a use of the weight. */
type Writer = (target: RewriteTarget, site: Site, pair: FactorPair) => (use: SiteUse) => Value;

const COMPONENTS_FIRST: WeightLayout = { perm: [0, 1], split: 1 };
const COMPONENTS_LAST: WeightLayout = { perm: [1, 0], split: 1 };

const WRITERS: Readonly<Record<'linear' | 'conv' | 'embedding', Writer>> = {
  linear(target, site, { rank, inner, outer }) {
    const { graph } = target;
    const { dtype } = site.tensor;
    const [rows, cols] = site.layout.perm.map(axis => site.tensor.dims[axis]!) as [number, number];
    const onLeft = site.uses[0]!.index === 0;
    const a = onLeft
      ? inner.write(target, [rank, cols], COMPONENTS_FIRST, dtype)
      : inner.write(target, [cols, rank], COMPONENTS_LAST, dtype);
    const b = onLeft
      ? outer.write(target, [rows, rank], COMPONENTS_LAST, dtype)
      : outer.write(target, [rank, rows], COMPONENTS_FIRST, dtype);
    return ({ node, index }) => {
      const x = node.inputs[1 - index]!;
      if (onLeft) return graph.op('MatMul', [b, graph.op('MatMul', [a, x])]);
      if (node.opType === 'MatMul') return graph.op('MatMul', [graph.op('MatMul', [x, a]), b]);
      const hidden = graph.op('Gemm', [x, a], { transA: node.int('transA', 0) });
      const scales = { alpha: node.float('alpha', 1), beta: node.float('beta', 1) };
      return graph.op('Gemm', [hidden, b, ...node.inputs.slice(2)], scales);
    };
  },

  conv(target, site, { rank, inner, outer }) {
    const { graph } = target;
    const { dtype, dims } = site.tensor;
    const [out, ...kernel] = dims as [number, ...number[]];
    const groups = site.uses[0]!.node.int('group', 1);
    const ones = kernel.slice(1).map(() => 1);
    const axes = dims.map((_, axis) => axis);
    const a = inner.write(target, [groups * rank, ...kernel], { perm: axes, split: 1 }, dtype);
    const b = outer.write(target, [out, rank, ...ones], { perm: [1, 0, ...axes.slice(2)], split: 1 }, dtype);
    return ({ node }) => {
      const hidden = graph.op('Conv', [node.inputs[0]!, a], Object.fromEntries(node.attributes));
      return graph.op('Conv', [hidden, b, ...node.inputs.slice(2)], { group: groups, kernel_shape: ones });
    };
  },

  embedding(target, site, { rank, inner, outer }) {
    const { graph } = target;
    const { dtype, dims } = site.tensor;
    // Rows of the table are the outputs: table (tokens, dim) = outer (tokens, rank) · inner (rank, dim).
    const table = outer.write(target, [dims[0]!, rank], COMPONENTS_LAST, dtype);
    const up = inner.write(target, [rank, dims[1]!], COMPONENTS_FIRST, dtype);
    return ({ node }) => graph.op('MatMul', [graph.op('Gather', [table, node.inputs[1]!], { axis: 0 }), up]);
  },
};

function replace(graph: Graph, node: Node, output: Value): void {
  output.producer!.name = node.name;
  graph.replaceUses(node.output, output);
  node.name = '';
  graph.remove(node);
}

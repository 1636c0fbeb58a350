import type { Site } from '../../calibrate/sites.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { RewriteTarget } from '../method.js';
import { sharedConstant, sharedShape } from './constants.js';
import type { StoredFactor } from './factor.js';
import { isPlainProduct, replaceNode, replaceProduct } from './linear.js';

/** Σ_k A_k ⊗ B_k, stored with the terms as rows. */
export interface KroneckerPair {
  readonly terms: number;
  /** [m₁, n₁] and [m₂, n₂]; rows are m₁ m₂, columns n₁ n₂. */
  readonly left: readonly [number, number];
  readonly right: readonly [number, number];
  /** (terms, m₁ n₁) */
  readonly a: StoredFactor;
  /** (terms, m₂ n₂) */
  readonly b: StoredFactor;
}

/** Whether every use of a site can run as two small products: x · W, or a 1 × 1 convolution that skips nothing. */
export function fitsKronecker(site: Site): boolean {
  const { kind, mixed, nested, tensor, uses } = site;
  if (kind === 'linear') return isPlainProduct(site) && uses.every(({ node }) => rankOf(node.inputs[0]) > 0);
  if (kind !== 'conv' || mixed || nested || tensor.dtype !== 'float32' || tensor.dims.length !== 4)
    return false;
  if (tensor.dims[2] !== 1 || tensor.dims[3] !== 1) return false;
  return uses.every(
    ({ node, index }) =>
      index === 1 &&
      node.int('group', 1) === 1 &&
      node.ints('strides', []).every(stride => stride === 1) &&
      node.ints('pads', []).every(pad => pad === 0),
  );
}

const rankOf = (value: Value | null | undefined): number => value?.shape?.length ?? 0;

/**
 * Writes y = W x as Y = Σ_k A_k X B_kᵀ, X being x as n₁ × n₂ and Y being y as m₁ × m₂: one product with all B_k side by
 * side, one with all A_k. W is never made.
 */
export function applyKronecker(target: RewriteTarget, site: Site, pair: KroneckerPair): void {
  if (site.kind === 'conv') applyToPixels(target, pair);
  else applyToVectors(target, site, pair);
}

function applyToVectors(target: RewriteTarget, site: Site, pair: KroneckerPair): void {
  const { graph } = target;
  const { terms, left, right, a, b } = pair;
  const [m1, n1] = left;
  const [m2, n2] = right;
  const first = reshaped(target, b.write(target, [n2, terms, m2], { perm: [1, 2, 0], split: 1 }, 'float32'), [
    n2,
    terms * m2,
  ]);
  const second = leftFactor(target, pair, a);
  for (const [i, { node }] of target.uses.entries()) {
    // The copy in a fragment knows no rank; the site's own node does.
    const rank = rankOf(site.uses[i]!.node.inputs[0]);
    const lead = new Array<number>(rank - 1).fill(0);
    const x = reshaped(target, node.inputs[0]!, [...lead, n1, n2]);
    const hidden = graph.op('MatMul', [x, first]);
    const inRows = reshaped(target, hidden, [...lead, n1 * terms, m2]);
    const y = graph.op('MatMul', [second, inRows]);
    replaceProduct(graph, node, reshaped(target, y, [...lead, m1 * m2]));
  }
}

function applyToPixels(target: RewriteTarget, pair: KroneckerPair): void {
  const { graph } = target;
  const { terms, left, right, a, b } = pair;
  const [m1, n1] = left;
  const [m2, n2] = right;
  const first = reshaped(target, b.write(target, [terms, m2, n2], { perm: [0, 1, 2], split: 1 }, 'float32'), [
    terms * m2,
    n2,
  ]);
  const second = leftFactor(target, pair, a);
  for (const { node } of target.uses) {
    const input = node.inputs[0]!;
    const x = reshaped(target, input, [0, n1, n2, -1]);
    const hidden = graph.op('MatMul', [first, x]); // (batch, n₁, terms · m₂, pixels)
    const inRows = reshaped(target, hidden, [0, n1 * terms, -1]);
    const y = graph.op('MatMul', [second, inRows]); // (batch, m₁, m₂ · pixels)
    const size = graph.op('Gather', [
      graph.op('Shape', [input]),
      sharedConstant(graph, Tensor.int64([2, 3])),
    ]);
    const shape = graph.op('Concat', [sharedShape(graph, [0, m1 * m2]), size], { axis: 0 });
    const output = graph.op('Reshape', [y, shape]);
    const bias = node.inputs[2];
    const column = bias && reshaped(target, bias, [m1 * m2, 1, 1]);
    replaceNode(graph, node, column ? graph.op('Add', [output, column]) : output);
  }
}

/** All A_k side by side, (m₁, n₁ · terms), the term changing fastest. */
function leftFactor(target: RewriteTarget, { terms, left: [m1, n1] }: KroneckerPair, a: StoredFactor): Value {
  const written = a.write(target, [m1, n1, terms], { perm: [2, 0, 1], split: 1 }, 'float32');
  return reshaped(target, written, [m1, n1 * terms]);
}

const reshaped = ({ graph }: RewriteTarget, value: Value, shape: readonly number[]): Value =>
  graph.op('Reshape', [value, sharedShape(graph, shape)]);

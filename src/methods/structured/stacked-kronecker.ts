import { WhittleError } from '../../graph/errors.js';
import type { Value } from '../../graph/value.js';
import { type DenseMatrix, matrix, nearestKronecker } from '../../linalg/index.js';
import type { Scope } from '../../nn/scope.js';
import { choice } from '../../train/config/settings.js';
import { defineMethod } from '../entry.js';
import { fractionSetting, LAYER_SETTINGS, structuredMethod } from './method.js';
import { firstFeatures, padFeatures } from './rows.js';
import type { LinearShape, Structure } from './structure.js';

export interface StackedKroneckerOptions {
  /** Parameters left, as a fraction of the dense weight's. */
  readonly fraction: number;
  /**
   * `factors` multiplies by one factor after the other; `weight` makes the dense weight at each step and multiplies by
   * that. `auto` takes what is fewer multiplications for the rows of the shape: `factors` for few, and at low rank for
   * many, which they are where nobody says.
   */
  readonly form?: 'auto' | 'factors' | 'weight';
}

/**
 * Stacked Kronecker products, Wᵀ = Σᵣ Aᵣ ⊗ Bᵣ: with p = ⌈√in⌉ and q = ⌈√out⌉ each Aᵣ and Bᵣ is p × q, so that r terms
 * have 2 r p q parameters. A (p q, r) and B (r, p q) hold them as columns and rows; rows and columns beyond in and out
 * are cut off. The rank follows catid's experiments: round(f · in · out / (2 p q)).
 * @throws WhittleError where the fraction leaves no term
 */
export function stackedKronecker(shape: LinearShape, options: StackedKroneckerOptions): Structure {
  const { inFeatures, outFeatures } = shape;
  const p = Math.ceil(Math.sqrt(inFeatures));
  const q = Math.ceil(Math.sqrt(outFeatures));
  const k = p * q;
  const rank = Math.floor((options.fraction * inFeatures * outFeatures) / (2 * k) + 0.5);
  if (rank < 1 || rank > k) {
    throw new WhittleError(
      `${rank} Kronecker products of ${p} × ${q} do not fit a ${outFeatures} × ${inFeatures} weight`,
      { hint: `Keep ${rank < 1 ? 'a larger' : 'a smaller'} fraction of the parameters` },
    );
  }
  const [perRow, dense] = [rank * k * (p + q), inFeatures * outFeatures];
  const { form = 'auto' } = options;
  const { rows: count = Number.POSITIVE_INFINITY } = shape;
  const fewer = perRow < dense + (k * k * rank) / count;
  const factored = form === 'factors' || (form === 'auto' && fewer);
  const sizes: Sizes = { inFeatures, outFeatures, p, q, rank };
  return {
    inFeatures,
    outFeatures,
    factors: [
      { name: 'a', dims: [k, rank], variance: () => 1 / rank },
      { name: 'b', dims: [rank, k], variance: perWeight => perWeight },
    ],
    macs: rows => (factored ? rows * perRow : k * k * rank + rows * dense),
    apply: (scope, rows, [a, b]) => (factored ? byFactors : byWeight)(scope, rows, a!, b!, sizes),
    fromDense: weight => nearestTerms(weight, sizes),
  };
}

interface Sizes extends LinearShape {
  readonly p: number;
  readonly q: number;
  readonly rank: number;
}

/** Makes Wᵀ, (in, out), and multiplies by it. */
function byWeight(scope: Scope, rows: Value, a: Value, b: Value, sizes: Sizes): Value {
  const { p, q, inFeatures, outFeatures } = sizes;
  const blocks = scope.reshape(scope.op('MatMul', [a, b]), p, q, p, q); // (i₁, j₁, i₂, j₂)
  let weight = scope.reshape(scope.transpose(blocks, 0, 2, 1, 3), p * p, q * q);
  if (p * p > inFeatures || q * q > outFeatures) {
    const ends = scope.int64(inFeatures, outFeatures);
    weight = scope.op('Slice', [weight, scope.int64(0, 0), ends, scope.int64(0, 1)]);
  }
  return scope.op('MatMul', [rows, weight]);
}

/** y[j₁, j₂] = Σᵣ Σ_i₁ A[i₁, j₁, r] Σ_i₂ x[i₁, i₂] B[r, i₂, j₂], the inner sum first. */
function byFactors(scope: Scope, rows: Value, a: Value, b: Value, sizes: Sizes): Value {
  const { p, q, rank, inFeatures, outFeatures } = sizes;
  const right = scope.transpose(scope.reshape(b, rank, p, q), 1, 2, 0); // (i₂, j₂, r)
  const left = scope.transpose(scope.reshape(a, p, q, rank), 0, 2, 1); // (i₁, r, j₁)
  const x = scope.reshape(padFeatures(scope, rows, inFeatures, p * p), -1, p); // (rows · i₁, i₂)
  const inner = scope.op('MatMul', [x, scope.reshape(right, p, q * rank)]);
  const moved = scope.transpose(scope.reshape(inner, -1, p, q, rank), 0, 2, 1, 3); // (rows, j₂, i₁, r)
  const outer = scope.op('MatMul', [scope.reshape(moved, -1, p * rank), scope.reshape(left, p * rank, q)]);
  const y = scope.transpose(scope.reshape(outer, -1, q, q), 0, 2, 1); // (rows, j₁, j₂)
  return firstFeatures(scope, scope.reshape(y, -1, q * q), q * q, outFeatures);
}

/**
 * By Van Loan and Pitsianis; nearest to the weight with zeros where it is cut off, so that it is the best there is only
 * where both widths are squares.
 */
function nearestTerms(weight: DenseMatrix, sizes: Sizes): Float32Array[] {
  const { p, q, rank, inFeatures, outFeatures } = sizes;
  const padded = new Float64Array(p * p * q * q);
  for (let i = 0; i < inFeatures; i++) {
    for (let j = 0; j < outFeatures; j++) padded[i * q * q + j] = weight.data[j * inFeatures + i]!;
  }
  const { left, right } = nearestKronecker(matrix(padded, p * p, q * q), [p, q], rank);
  const a = new Float32Array(p * q * rank);
  const b = new Float32Array(rank * p * q);
  left.forEach(({ data }, r) => data.forEach((x, i) => (a[i * rank + r] = x)));
  right.forEach(({ data }, r) => b.set(data, r * p * q));
  return [a, b];
}

export const stackedKroneckerMethod = defineMethod({
  name: 'stacked-kronecker',
  family: 'structured',
  summary: 'A sum of Kronecker products of two small matrices instead of a weight.',
  paper: {
    title: 'Stacked Kronecker-product Layers',
    authors: 'Anonymous, under review',
    year: 2023,
    url: 'https://openreview.net/pdf?id=ZjGr1tMVbjw',
  },
  settings: {
    ...LAYER_SETTINGS,
    fraction: fractionSetting(),
    form: choice(
      'auto',
      ['auto', 'factors', 'weight'],
      'multiply by the factors, or by the weight they make',
    ),
  },
  create: values => structuredMethod('stacked-kronecker', values, shape => stackedKronecker(shape, values)),
});

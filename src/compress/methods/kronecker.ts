import { cholesky, matmul, matrix, nearestKronecker, solveTriangular } from '../../linalg/index.js';
import { StoredFactor } from '../forms/factor.js';
import { applyKronecker, fitsKronecker, type KroneckerPair } from '../forms/kronecker.js';
import type { Layer } from '../layer.js';
import type { Candidate, Method } from '../method.js';
import { INT8 } from './quantize.js';

/** Terms to propose. */
const TERMS = [1, 2, 4, 8, 16];

/**
 * A sum of Kronecker products, run as two small products: the weight is never made. B_k are those of the nearest sum in
 * the Frobenius norm, A_k are then fitted to the layer's outputs. (Van Loan & Pitsianis, "Approximation with Kronecker
 * products", 1993; for networks Tahaei et al., "KroneckerBERT", 2022.)
 */
export const kronecker: Method = {
  name: 'kronecker',
  *propose(layer) {
    if (!fitsKronecker(layer.site)) return;
    const { rows, cols } = layer.matrix;
    const left = leftShape(rows, cols);
    if (!left) return;
    const [m1, n1] = left;
    const [m2, n2] = [rows / m1, cols / n1];
    let nearest: Nearest | undefined;
    const terms = TERMS.filter(
      count => count * m2 * (cols + m1 * n1) < rows * cols && count <= Math.min(m1 * n1, m2 * n2),
    );
    const most = terms.at(-1);
    if (most === undefined) return;
    // The terms of a shorter sum are the first of a longer one.
    for (const count of terms)
      yield kroneckerCandidate(layer, left, count, () => (nearest ??= nearestOf(layer, left, most)));
  },
};

interface Nearest {
  /** (m₁ n₁) and (m₂ n₂) of each term. */
  readonly left: readonly Float64Array[];
  readonly right: readonly Float64Array[];
}

function nearestOf(
  { matrix: { data, rows, cols } }: Layer,
  shape: readonly [number, number],
  terms: number,
): Nearest {
  const weight = matrix(data as Float32Array<ArrayBuffer>, rows, cols);
  const { left, right } = nearestKronecker(weight, shape, terms);
  return { left: left.map(a => a.data), right: right.map(b => b.data) };
}

/** Divisors of both sizes whose factors are closest to equal in size, so that both together are smallest. */
export function leftShape(rows: number, cols: number): [number, number] | undefined {
  let best: [number, number] | undefined;
  let least = Infinity;
  for (const m1 of divisorsOf(rows)) {
    for (const n1 of divisorsOf(cols)) {
      const numbers = m1 * n1 + (rows / m1) * (cols / n1);
      // Among equals the most nearly square: neither product is then a thin one.
      const size = numbers * (1 + 1e-6 * Math.abs(Math.log((m1 * cols) / (n1 * rows))));
      if (size < least) [best, least] = [[m1, n1], size];
    }
  }
  return best;
}

const divisorsOf = (n: number): number[] =>
  Array.from({ length: n - 2 }, (_, i) => i + 2).filter(divisor => n % divisor === 0 && divisor < n);

export function kroneckerCandidate(
  layer: Layer,
  left: readonly [number, number],
  terms: number,
  nearestOf: () => Nearest,
): Candidate {
  const { rows, cols } = layer.matrix;
  const [m1, n1] = left;
  const right = [rows / m1, cols / n1] as const;
  let cached: KroneckerPair | undefined;
  const pair = (): KroneckerPair => {
    if (cached) return cached;
    const nearest = nearestOf();
    const flat = (parts: readonly Float64Array[]) =>
      Float32Array.from(parts.slice(0, terms).flatMap(part => [...part]));
    const b = new StoredFactor({ data: flat(nearest.right), rows: terms, cols: right[0] * right[1] }, INT8);
    // Fitted to the B_k as they are stored, so that they make good for their rounding too.
    const fitted = refit(layer, left, b.restored(), terms) ?? flat(nearest.left);
    const a = new StoredFactor({ data: fitted, rows: terms, cols: m1 * n1 }, INT8);
    cached = { terms, left, right, a, b };
    return cached;
  };
  return {
    method: 'kronecker',
    label: `kronecker ${m1}×${n1} ${terms} terms int8`,
    bits: 8,
    weight() {
      const { a, b } = pair();
      return kroneckerSum(a.restored(), b.restored(), left, right, terms);
    },
    apply: target => applyKronecker(target, layer.site, pair()),
  };
}

/** Σ_k A_k ⊗ B_k, (m₁ m₂, n₁ n₂). */
function kroneckerSum(
  a: Float32Array,
  b: Float32Array,
  [m1, n1]: readonly [number, number],
  [m2, n2]: readonly [number, number],
  terms: number,
): Float32Array {
  const blocks = matmul(matrix(a, terms, m1 * n1), matrix(b, terms, m2 * n2), { transposeA: true }).data;
  return Float32Array.from(rearranged(blocks, [m1, n1, m2, n2]));
}

/** (i₁, j₁, i₂, j₂) as (i₁, i₂, j₁, j₂), of sizes m₁, n₁, m₂, n₂. */
function rearranged(data: ArrayLike<number>, [m1, n1, m2, n2]: readonly [number, number, number, number]) {
  const result = new Float64Array(data.length);
  let next = 0;
  for (let i1 = 0; i1 < m1; i1++) {
    for (let j1 = 0; j1 < n1; j1++) {
      for (let i2 = 0; i2 < m2; i2++) {
        const to = ((i1 * m2 + i2) * n1 + j1) * n2;
        for (let j2 = 0; j2 < n2; j2++) result[to + j2] = data[next++]!;
      }
    }
  }
  return result;
}

/**
 * With the B_k fixed, y at (i₁, i₂) is Σ A_k[i₁, j₁] z, z = Σ B_k[i₂, j₂] x at (j₁, j₂): linear in A, one system for all
 * i₁. Its matrix is Σ S[j₁ j₂, j₁′ j₂′] (B_kᵀ B_k′)[j₂, j₂′].
 * @param b (terms, m₂ n₂)
 * @returns (terms, m₁ n₁); `undefined` without calibration
 */
function refit(layer: Layer, [m1, n1]: readonly [number, number], b: Float32Array, terms: number) {
  const second = layer.moment?.second[0];
  if (!second) return undefined;
  const { data, rows, cols } = layer.matrix;
  const [m2, n2] = [rows / m1, cols / n1];
  const s = matrix(second, cols, cols);
  // (n₁ n₁, n₂ n₂) · (n₂ n₂, terms · terms)
  const pairs = new Float64Array(n2 * n2 * terms * terms);
  for (let k = 0; k < terms; k++) {
    for (let l = 0; l < terms; l++) {
      const one = matrix(b.subarray(k * m2 * n2, (k + 1) * m2 * n2) as Float32Array<ArrayBuffer>, m2, n2);
      const other = matrix(b.subarray(l * m2 * n2, (l + 1) * m2 * n2) as Float32Array<ArrayBuffer>, m2, n2);
      const product = matmul(one, other, { transposeA: true }).data;
      for (let i = 0; i < n2 * n2; i++) pairs[(i * terms + k) * terms + l] = product[i]!;
    }
  }
  const apart = rearranged(second, [n1, n2, n1, n2]); // (j₁, j₁′, j₂, j₂′)
  const gram = matmul(matrix(apart, n1 * n1, n2 * n2), matrix(pairs, n2 * n2, terms * terms)).data;
  const system = rearranged(gram, [n1, n1, terms, terms]); // (j₁, k, j₁′, k′)
  const weighted = matmul(matrix(data as Float32Array<ArrayBuffer>, rows, cols), s).data; // W S
  const blocks = rearranged(weighted, [m1, m2, n1, n2]); // (i₁, j₁, i₂, j₂)
  const target = matmul(matrix(blocks, m1 * n1, m2 * n2), matrix(b, terms, m2 * n2), {
    transposeB: true,
  }).data;
  const size = n1 * terms;
  let trace = 0;
  for (let i = 0; i < size; i++) trace += system[i * size + i]!;
  for (let i = 0; i < size; i++) system[i * size + i]! += (1e-6 * trace) / size || 1;
  const l = cholesky(matrix(system, size, size)).l;
  const rightSide = matrix(target, m1, size); // (i₁; j₁, k)
  const transposed = new Float64Array(m1 * size);
  for (let i = 0; i < m1; i++)
    for (let j = 0; j < size; j++) transposed[j * m1 + i] = rightSide.data[i * size + j]!;
  const solved = solveTriangular(l, solveTriangular(l, matrix(transposed, size, m1)), {
    transpose: true,
  }).data;
  const result = new Float32Array(terms * m1 * n1);
  for (let j1 = 0; j1 < n1; j1++) {
    for (let k = 0; k < terms; k++) {
      for (let i1 = 0; i1 < m1; i1++) result[(k * m1 + i1) * n1 + j1] = solved[(j1 * terms + k) * m1 + i1]!;
    }
  }
  return result;
}

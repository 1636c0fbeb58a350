/**
 * dlaed3, first part: the eigenvectors of diag(d) + ρ z zᵀ. Instead of z, the vector ẑ is used for which the computed
 * roots are exact (Löwner's formula), which makes the eigenvectors orthogonal without extra precision (Gu & Eisenstat,
 * "A divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem", 1995).
 */
import { at, get, getInt, set } from './elements';
import { laneSum, multiplyAdd, zeros } from './simd';

/** ẑ_i = ± √(−Π_j (d_i − λ_j) / Π_{j≠i} (d_i − d_j)); row j of `differences` (k × k) holds d_i − λ_j. */
export function correctWeights(k: i32, d: usize, z: usize, differences: usize, corrected: usize): void {
  for (let i = 0; i < k; i += 2) {
    // Two columns at once; an odd last one uses a lane for nothing.
    const pair = i + 1 < k;
    const own = pair ? v128.load(at(d, i)) : v128.load_splat<f64>(at(d, i));
    let product = f64x2.splat(-1);
    for (let j = 0; j < k; j++) {
      const row = at(differences, j * k + i);
      let divisor = f64x2.sub(own, v128.load_splat<f64>(at(d, j)));
      if (j == i) divisor = pair ? f64x2.replace_lane(divisor, 0, 1) : f64x2.splat(1);
      else if (j == i + 1) divisor = f64x2.replace_lane(divisor, 1, 1);
      const factor = pair ? v128.load(row) : v128.load_splat<f64>(row);
      product = f64x2.mul(product, f64x2.div(factor, divisor));
    }
    const sizes = f64x2.sqrt(f64x2.abs(product));
    set(corrected, i, withSign(f64x2.extract_lane(sizes, 0), get(z, i)));
    if (pair) set(corrected, i + 1, withSign(f64x2.extract_lane(sizes, 1), get(z, i + 1)));
  }
}

function withSign(size: f64, pattern: f64): f64 {
  return pattern < 0 ? -size : size;
}

/** Turns one row of differences d_i − λ into the unit eigenvector ẑ_i / (d_i − λ), its elements in the order `byType`. */
export function eigenvectorRow(k: i32, corrected: usize, row: usize, byType: usize, scratch: usize): void {
  let squares = zeros();
  let i = 0;
  for (; i + 2 <= k; i += 2) {
    const quotient = f64x2.div(v128.load(at(corrected, i)), v128.load(at(row, i)));
    v128.store(at(scratch, i), quotient);
    squares = multiplyAdd(quotient, quotient, squares);
  }
  let total = laneSum(squares);
  if (i < k) {
    const quotient = get(corrected, i) / get(row, i);
    set(scratch, i, quotient);
    total += quotient * quotient;
  }
  const factor = 1 / Math.sqrt(total);
  for (let p = 0; p < k; p++) set(row, p, factor * get(scratch, getInt(byType, p)));
}

import { type Matrix, matrix, svd } from '../../linalg/index.js';
import type { Factors } from './factors.js';

/**
 * Spectral initialization: from the singular value decomposition W = P Σ Qᵀ of a layer's weight, be it random or
 * trained, U = P_r √Σ_r and V = Q_r √Σ_r. The product is the best approximation of rank r in the Frobenius norm
 * (Eckart & Young 1936), and both factors have the same norms, so that none learns faster than the other.
 * Khodak, Tenenholtz, Mackey & Fusi, "Initialization and regularization of factorized neural layers", ICLR 2021.
 * @param rank from 1 to min(rows, cols)
 */
export function spectralFactors(weight: Matrix, rank: number): Factors {
  const { u: left, s, v: right } = svd(weight, { rank });
  const u = new Float64Array(left.rows * rank);
  const vt = new Float64Array(rank * right.rows);
  for (let k = 0; k < rank; k++) {
    const root = Math.sqrt(s[k]!);
    for (let i = 0; i < left.rows; i++) u[i * rank + k] = root * left.data[i * rank + k]!;
    for (let j = 0; j < right.rows; j++) vt[k * right.rows + j] = root * right.data[j * rank + k]!;
  }
  return { u: matrix(u, left.rows, rank), vt: matrix(vt, rank, right.rows) };
}

/** The least rank whose singular values hold this share of ‖W‖²_F. @param spectrum largest first */
export function rankOfEnergy(spectrum: Float64Array, share: number): number {
  const total = spectrum.reduce((sum, s) => sum + s * s, 0);
  let held = 0;
  for (let k = 0; k < spectrum.length; k++) {
    held += spectrum[k]! ** 2;
    if (held >= share * total * (1 - 1e-12)) return k + 1;
  }
  return spectrum.length;
}

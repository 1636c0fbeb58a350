import { matmul, matrix } from '../../linalg/index.js';
import type { FactorPair } from '../forms/factored.js';
import type { Layer } from '../layer.js';

/**
 * The layer's error with factors as they are stored, rounding and all, for every rank from 0 to theirs: each component is
 * rounded by itself, so that the first r of many are the factors of rank r. With u_k and v_k as stored and S the second
 * moment of the inputs, ‖(W − Σ u_k v_kᵀ) L‖² = ‖W L‖² − 2 Σ u_kᵀ W S v_k + Σ_jk (u_jᵀ u_k)(v_jᵀ S v_k): sums that grow by
 * a row and a column from rank to rank.
 * @returns `undefined` without calibration
 */
export function storedErrors(layer: Layer, { rank, inner, outer }: FactorPair): Float64Array | undefined {
  const { moment, groups } = layer;
  if (!moment) return undefined;
  const { data, rows, cols } = layer.matrix;
  const groupRows = rows / groups;
  const [u, v] = [outer.restored(), inner.restored()];
  const added = new Float64Array(rank + 1);
  added[0] = layer.ownEnergy;
  for (let g = 0; g < groups; g++) {
    const w = data.subarray(g * groupRows * cols, (g + 1) * groupRows * cols) as Float32Array<ArrayBuffer>;
    const left = matrix(u.subarray(g * groupRows) as Float32Array<ArrayBuffer>, rank, groupRows, rows);
    const right = matrix(
      v.subarray(g * rank * cols, (g + 1) * rank * cols) as Float32Array<ArrayBuffer>,
      rank,
      cols,
    );
    const weighted = matmul(right, matrix(moment.second[g]!, cols, cols)); // vᵀ S
    const outputs = matmul(weighted, matrix(w, groupRows, cols), { transposeB: true }).data; // vᵀ S Wᵀ
    const ofRight = matmul(weighted, right, { transposeB: true }).data;
    const ofLeft = matmul(left, left, { transposeB: true }).data;
    for (let k = 0; k < rank; k++) {
      let common = 0;
      for (let i = 0; i < groupRows; i++)
        common += outputs[k * groupRows + i]! * u[k * rows + g * groupRows + i]!;
      let own = ofLeft[k * rank + k]! * ofRight[k * rank + k]!;
      for (let j = 0; j < k; j++) own += 2 * ofLeft[k * rank + j]! * ofRight[k * rank + j]!;
      added[k + 1]! += own - 2 * common;
    }
  }
  for (let k = 0; k < rank; k++) added[k + 1]! += added[k]!;
  return added.map(energy => layer.relativeError(energy));
}

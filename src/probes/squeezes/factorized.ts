import { matmul, matrix, type Svd, svd } from '../../linalg/index.js';
import type { ProbedLayer, Squeeze } from '../squeeze.js';

/** Relative errors ‖W − Ŵ‖/‖W‖ from 0.98 down to 0, the same for each layer. */
const LEVELS = 50;

/** One decomposition serves all levels. */
const known = new WeakMap<Float32Array, Svd>();

function decompositionOf({ weight, rows, cols }: ProbedLayer): Svd {
  const found = known.get(weight) ?? svd(matrix(weight, rows, cols));
  known.set(weight, found);
  return found;
}

/** Ranks, as low as an error allows that is the same for all layers. A layer stays whole where factors are no smaller. */
export const factorized: Squeeze = {
  name: 'factorized',
  measures: 'parameters of the factors as a share of those of the weights',
  levels: LEVELS + 1,
  at(layers, level) {
    const error = (LEVELS - level) / (LEVELS + 1);
    let parameters = 0;
    const weights = layers.map(layer => {
      const { rows, cols, weight } = layer;
      const decomposition = decompositionOf(layer);
      const rank = rankWithin(decomposition.s, error);
      const factors = rank * (rows + cols);
      parameters += Math.min(factors, rows * cols);
      return factors >= rows * cols ? weight : truncated(decomposition, rank);
    });
    return { size: parameters / layers.reduce((sum, { weight }) => sum + weight.length, 0), weights };
  },
};

/** The least rank whose truncation keeps the error. */
function rankWithin(s: Float64Array, error: number): number {
  const allowed = error ** 2 * s.reduce((sum, value) => sum + value ** 2, 0);
  let rank = s.length;
  let tail = 0;
  while (rank > 1) {
    tail += s[rank - 1]! ** 2;
    if (tail > allowed) break;
    rank--;
  }
  return rank;
}

function truncated({ u, s, v }: Svd, rank: number): Float32Array {
  const left = new Float64Array(u.rows * rank);
  for (let r = 0; r < u.rows; r++) {
    for (let k = 0; k < rank; k++) left[r * rank + k] = u.data[r * u.stride + k]! * s[k]!;
  }
  const product = matmul(matrix(left, u.rows, rank), matrix(v.data, v.rows, rank, v.stride), {
    transposeB: true,
  });
  return Float32Array.from(product.data);
}

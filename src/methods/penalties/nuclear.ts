import { Tensor } from '../../graph/tensor.js';
import { type DenseMatrix, type Matrix, matmul, matrix, svd } from '../../linalg/index.js';
import { CLAIMS } from '../../train/claims.js';
import { integer } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { type PenaltyOptions, penalizedLayers, penaltyClaim, penaltySettings } from './penalized.js';

export interface NuclearOptions extends PenaltyOptions {
  /** Updates between decompositions. */
  readonly interval: number;
}

/**
 * λ Σ σ_i(W), of a kernel as the (out, in·kh·kw) matrix: ranks fall. Every `interval` updates singular values lose
 * ηλ for each update since the last time, and end at zero. Singular value thresholding is the proximal map of the nuclear norm:
 * Cai, Candès & Shen, 2010, https://arxiv.org/abs/0810.3286.
 */
export function nuclearPenalty({ strength, layers, interval }: NuclearOptions): TrainingMethod {
  let weights: readonly string[] = [];
  /** Sum of learning rates since singular values fell. */
  let due = 0;
  /** The update that was seen last: one that overflowed under loss scaling is no step. */
  let seen = -1;
  return {
    name: 'nuclear',
    // Products of singular vectors have no zeros.
    claims: ['the nuclear norm', CLAIMS.masks],
    layerClaim: penaltyClaim(layers),
    prepare(network) {
      weights = [...penalizedLayers(network, layers).keys()];
      due = 0;
    },
    separates: ({ name }) => weights.includes(name),
    started(run) {
      seen = run.update;
    },
    afterStep(run) {
      if (run.update === seen) return;
      seen = run.update;
      due += run.learningRate;
      if (run.update % interval !== 0 && run.update !== run.updates) return;
      for (const name of weights) {
        const weight = run.read(name);
        const { dims } = weight;
        const { data } = thresholded(
          matrix(weight.toFloat32(), dims[0]!, weight.size / dims[0]!),
          strength * due,
        );
        run.write(name, Tensor.float32(dims, Float32Array.from(data)));
      }
      due = 0;
    },
    save: () => ({ due }),
    restore(saved) {
      due = (saved as { due: number }).due;
    },
  };
}

/** U max(Σ − t, 0) Vᵀ. */
export function thresholded(a: Matrix, t: number): DenseMatrix {
  const { u, s, v } = svd(a);
  const rank = s.length;
  const scaled = Float64Array.from(u.data, (x, i) => x * Math.max(0, s[i % rank]! - t));
  return matmul(matrix(scaled, u.rows, rank), v, { transposeB: true });
}

export const NUCLEAR = defineMethod({
  name: 'nuclear',
  family: 'penalty',
  summary: 'Singular values are drawn towards zero, and many arrive there.',
  paper: {
    title: 'A Singular Value Thresholding Algorithm for Matrix Completion',
    authors: 'Cai, Candès, Shen',
    year: 2010,
    url: 'https://arxiv.org/abs/0810.3286',
  },
  settings: {
    ...penaltySettings(1e-3),
    interval: integer(100, { min: 1, description: 'updates between decompositions' }),
  },
  create: nuclearPenalty,
});

import { WhittleError } from '../../graph/errors.js';
import { type DenseMatrix, matrix, svd } from '../../linalg/index.js';
import { integer } from '../../train/config/settings.js';
import { defineMethod } from '../entry.js';
import { fractionSetting, LAYER_SETTINGS, structuredMethod } from './method.js';
import { firstFeatures, fromBlocks, padFeatures, toBlocks } from './rows.js';
import type { LinearShape, Structure } from './structure.js';

export interface MonarchOptions {
  /** Parameters left, as a fraction of the dense weight's. */
  readonly fraction: number;
  /** Blocks of each of the two block-diagonal matrices. 1 is a plain low-rank product. */
  readonly blocks: number;
}

/**
 * Monarch, W = P L Pᵀ R: two block-diagonal matrices with a fixed shuffle between and after them, a butterfly of two
 * levels. Seen from the dense weight, the part between input block k and output block l (every `blocks`-th output) has
 * rank t, so that b · t · (in + out) parameters connect everything with everything. Widths that the blocks do not divide
 * are padded. right is (b, in / b, t · b), left (b, b · t, out / b).
 * @throws WhittleError where the fraction leaves no rank, or more than a block has
 */
export function monarch(shape: LinearShape, { fraction, blocks: b }: MonarchOptions): Structure {
  const { inFeatures, outFeatures } = shape;
  const size = Math.ceil(inFeatures / b);
  const outSize = Math.ceil(outFeatures / b);
  const rank = Math.floor((fraction * inFeatures * outFeatures) / (b * b * (size + outSize)));
  if (rank < 1 || rank > Math.min(size, outSize)) {
    throw new WhittleError(
      `Monarch: ${b} × ${b} blocks of rank ${rank} do not fit a ${outFeatures} × ${inFeatures} weight`,
      { hint: rank < 1 ? 'Take fewer blocks, or keep a larger fraction' : 'Keep a smaller fraction' },
    );
  }
  return {
    inFeatures,
    outFeatures,
    factors: [
      { name: 'right', dims: [b, size, rank * b], variance: perWeight => perWeight },
      { name: 'left', dims: [b, b * rank, outSize], variance: () => 1 / rank },
    ],
    macs: rows => rows * b * b * rank * (size + outSize),
    apply(scope, rows, [right, left]) {
      const x = toBlocks(scope, padFeatures(scope, rows, inFeatures, b * size), b, size, 'contiguous');
      const middle = scope.reshape(scope.op('MatMul', [x, right!]), b, -1, rank, b); // (k, rows, t, l)
      const shuffled = scope.reshape(scope.transpose(middle, 3, 1, 0, 2), b, -1, b * rank); // (l, rows, k · t)
      const y = fromBlocks(scope, scope.op('MatMul', [shuffled, left!]), b, outSize, 'strided');
      return firstFeatures(scope, y, b * outSize, outFeatures);
    },
    fromDense(weight) {
      const right = new Float32Array(b * size * rank * b);
      const left = new Float32Array(b * b * rank * outSize);
      for (let k = 0; k < b; k++) {
        for (let l = 0; l < b; l++) {
          const { u, s, v } = svd(block(weight, k, l, { b, size, outSize }), { rank });
          for (let t = 0; t < rank; t++) {
            const share = Math.sqrt(s[t]!);
            for (let i = 0; i < size; i++) {
              right[((k * size + i) * rank + t) * b + l] = share * v.data[i * rank + t]!;
            }
            for (let o = 0; o < outSize; o++) {
              left[((l * b + k) * rank + t) * outSize + o] = share * u.data[o * rank + t]!;
            }
          }
        }
      }
      return [right, left];
    },
  };
}

/** Outputs l, l + b, … against input block k, zeros beyond the weight: (outSize, size). */
function block(
  weight: DenseMatrix,
  k: number,
  l: number,
  { b, size, outSize }: { b: number; size: number; outSize: number },
): DenseMatrix {
  const data = new Float64Array(outSize * size);
  for (let o = 0; o < outSize && o * b + l < weight.rows; o++) {
    for (let i = 0; i < size && k * size + i < weight.cols; i++) {
      data[o * size + i] = weight.data[(o * b + l) * weight.cols + k * size + i]!;
    }
  }
  return matrix(data, outSize, size);
}

export const monarchMethod = defineMethod({
  name: 'monarch',
  family: 'structured',
  summary: 'Two block-diagonal matrices with a shuffle between them instead of a weight.',
  paper: {
    title: 'Monarch: Expressive Structured Matrices for Efficient and Accurate Training',
    authors: 'Dao, Chen, Sohoni, Desai, Poli, Grogan, Liu, Rao, Rudra, Ré',
    year: 2022,
    url: 'https://arxiv.org/abs/2204.00595',
  },
  settings: {
    ...LAYER_SETTINGS,
    fraction: fractionSetting(),
    blocks: integer(4, { min: 1, description: 'blocks of each matrix' }),
  },
  create: values => structuredMethod('monarch', values, shape => monarch(shape, values)),
});

export { type Cholesky, type CholeskyOptions, cholesky } from './cholesky.js';
export { type Cp, type CpOptions, cp } from './cp.js';
export { type Eigh, eigenvalues, eigh } from './eigh.js';
export {
  eighBytes,
  matmulBytes,
  qrBytes,
  randomizedSvdBytes,
  singularValuesBytes,
  svdBytes,
} from './forecast.js';
export {
  halfExponent,
  type InverseFactor,
  inverseFactor,
  type RoundedMatrix,
  type RoundingFormat,
  roundWithFeedback,
} from './gptq.js';
export { GramAccumulator, gram } from './gram.js';
export { initLinalg } from './kernels.js';
export { type KroneckerSum, nearestKronecker } from './kronecker.js';
export { type MatmulOptions, matmul } from './matmul.js';
export {
  type DenseMatrix,
  type Matrix,
  type MatrixData,
  matrix,
  matrixFrom,
  toDense,
  transpose,
} from './matrix.js';
export { type BatchOptions, createPool, type JobOptions, type Pool, type PoolOptions } from './pool.js';
export { type PivotedQr, type Qr, qr, qrPivoted } from './qr.js';
export { type RandomizedSvdOptions, randomizedSvd } from './randomized-svd.js';
export { type LeastSquares, lstsq, pinv, solveTriangular, type TriangularOptions } from './solve.js';
export { conditionNumber, effectiveRank, stableRank } from './spectrum.js';
export { type Svd, type SvdOptions, singularValues, svd } from './svd.js';
export { type SymmetricSqrtOptions, symmetricInverseSqrt, symmetricSqrt } from './symmetric-sqrt.js';
export type { TaskName, Tasks } from './tasks.js';
export { type Tucker2, type Tucker2Options, tucker2 } from './tucker2.js';
export type { Multiway } from './unfold.js';

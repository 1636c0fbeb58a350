export { type Eigh, eigenvalues, eigh } from './eigh.js';
export { eighBytes, matmulBytes, svdBytes } from './forecast.js';
export { GramAccumulator, gram } from './gram.js';
export { initLinalg } from './kernels.js';
export { type MatmulOptions, matmul } from './matmul.js';
export { type DenseMatrix, type Matrix, type MatrixData, matrix, matrixFrom, toDense, transpose } from './matrix.js';
export { type Svd, type SvdOptions, singularValues, svd } from './svd.js';

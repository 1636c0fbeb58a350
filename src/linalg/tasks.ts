import { cholesky } from './cholesky.js';
import { eigenvalues, eigh } from './eigh.js';
import { eighBytes, matmulBytes, qrBytes, svdBytes } from './forecast.js';
import { gram } from './gram.js';
import { matmul } from './matmul.js';
import { assertMatrix, type Matrix } from './matrix.js';
import { qr, qrPivoted } from './qr.js';
import { lstsq, pinv, solveTriangular } from './solve.js';
import { type SvdOptions, singularValues, svd } from './svd.js';
import { symmetricInverseSqrt, symmetricSqrt } from './symmetric-sqrt.js';

/** The functions that a pool runs in its workers. */
export const TASKS = {
  cholesky,
  eigenvalues,
  eigh,
  gram,
  lstsq,
  matmul,
  pinv,
  qr,
  qrPivoted,
  singularValues,
  solveTriangular,
  svd,
  symmetricInverseSqrt,
  symmetricSqrt,
};

export type Tasks = typeof TASKS;
export type TaskName = keyof Tasks;

/** Matrices among the arguments of a task. */
export function matricesOf(args: readonly unknown[]): Matrix[] {
  return args.filter((arg): arg is Matrix => typeof arg === 'object' && arg !== null && 'data' in arg);
}

/** What decides the order of jobs: rows · columns · the smaller of both, over all matrices. */
export function workOf(args: readonly unknown[]): number {
  return matricesOf(args).reduce((sum, { rows, cols }) => sum + rows * cols * Math.min(rows, cols), 0);
}

/**
 * WebAssembly memory that a task will take, in bytes.
 * @throws WhittleError where a matrix among the arguments is none
 */
export function bytesOf(task: TaskName, args: readonly unknown[]): number {
  const matrices = matricesOf(args);
  for (const a of matrices) assertMatrix(a);
  const [a, b] = matrices;
  if (!a) return 0;
  switch (task) {
    case 'svd':
    case 'singularValues':
      return svdBytes(a.rows, a.cols, args[1] as SvdOptions | undefined);
    case 'pinv':
      return svdBytes(a.rows, a.cols);
    case 'cholesky':
    case 'eigenvalues':
    case 'eigh':
    case 'symmetricInverseSqrt':
    case 'symmetricSqrt':
      return eighBytes(a.rows);
    case 'gram':
      return matmulBytes(a.cols, 512, a.cols);
    case 'matmul':
    case 'solveTriangular':
      return matmulBytes(a.rows, a.cols, b ? Math.max(b.rows, b.cols) : 1);
    case 'lstsq':
    case 'qr':
    case 'qrPivoted':
      return qrBytes(a.rows, a.cols);
  }
}

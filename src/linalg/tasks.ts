import { cholesky } from './cholesky.js';
import { cp } from './cp.js';
import { eigenvalues, eigh } from './eigh.js';
import {
  eighBytes,
  matmulBytes,
  qrBytes,
  randomizedSvdBytes,
  singularValuesBytes,
  svdBytes,
} from './forecast.js';
import { inverseFactor, roundWithFeedback } from './gptq.js';
import { gram } from './gram.js';
import { nearestKronecker } from './kronecker.js';
import { matmul } from './matmul.js';
import { assertMatrix, type Matrix } from './matrix.js';
import { qr, qrPivoted } from './qr.js';
import { randomizedSvd } from './randomized-svd.js';
import { lstsq, pinv, solveTriangular } from './solve.js';
import { finishSvd, gramStrip, gramVectors, productStrip } from './split-svd.js';
import { singularValues, svd } from './svd.js';
import { symmetricInverseSqrt, symmetricSqrt } from './symmetric-sqrt.js';
import { tucker2 } from './tucker2.js';
import { assertMultiway, type Multiway } from './unfold.js';

/** The functions that a pool runs in its workers. */
export const TASKS = {
  cholesky,
  cp,
  eigenvalues,
  eigh,
  finishSvd,
  gram,
  gramStrip,
  gramVectors,
  inverseFactor,
  lstsq,
  matmul,
  nearestKronecker,
  pinv,
  productStrip,
  qr,
  qrPivoted,
  randomizedSvd,
  roundWithFeedback,
  singularValues,
  solveTriangular,
  svd,
  symmetricInverseSqrt,
  symmetricSqrt,
  tucker2,
};

export type Tasks = typeof TASKS;
export type TaskName = keyof Tasks;

/** Matrices among the arguments of a task. */
function matricesOf(args: readonly unknown[]): Matrix[] {
  return args.filter((arg): arg is Matrix => typeof arg === 'object' && arg !== null && 'rows' in arg);
}

/** Names a task with the size of its first argument, for errors. */
export function describeTask(task: TaskName, args: readonly unknown[]): string {
  const [a] = matricesOf(args);
  return `${task} of ${a ? `${a.rows} × ${a.cols}` : (args[0] as Multiway).dims.join(' × ')}`;
}

/** What decides the order of jobs: rows · columns · the smaller of both, over all matrices; elements of a tensor. */
export function workOf(args: readonly unknown[]): number {
  const matrices = matricesOf(args);
  if (matrices.length === 0) return (args[0] as Multiway).data.length;
  return matrices.reduce((sum, { rows, cols }) => sum + rows * cols * Math.min(rows, cols), 0);
}

/** How much WebAssembly memory each task takes, in bytes, from its arguments. */
const BYTES: { [Name in TaskName]: (...args: Parameters<Tasks[Name]>) => number } = {
  cholesky: a => eighBytes(a.rows),
  cp: tensor => unfoldingBytes(tensor),
  eigenvalues: a => eighBytes(a.rows),
  eigh: (a, options) => eighBytes(a.rows, options?.rank),
  finishSvd: (ut, vt) => svdBytes(ut.cols, vt.cols),
  gram: a => matmulBytes(a.cols, 512, a.cols),
  gramStrip: (a, _exponent, _first, count) =>
    matmulBytes(a.rows, a.cols, 1) + 8 * count * Math.min(a.rows, a.cols),
  gramVectors: g => eighBytes(g.rows),
  inverseFactor: s => 16 * s.rows ** 2,
  lstsq: (a, b) => qrBytes(a.rows, a.cols) + matmulBytes(a.cols, a.rows, b.cols),
  matmul: (a, b) => matmulBytes(a.rows, a.cols, b.rows) + matmulBytes(a.cols, b.cols, 1),
  nearestKronecker: (a, [m, n], terms) =>
    svdBytes(m * n, Math.ceil((a.rows * a.cols) / (m * n)), { rank: terms ?? 1 }),
  pinv: a => svdBytes(a.rows, a.cols),
  productStrip: (vt, part) => matmulBytes(vt.rows, vt.cols, (part.rows * part.cols) / vt.cols),
  qr: a => qrBytes(a.rows, a.cols),
  qrPivoted: a => qrBytes(a.rows, a.cols),
  randomizedSvd: (a, rank, options) =>
    randomizedSvdBytes(a.rows, a.cols, rank + (options?.oversampling ?? 10)),
  roundWithFeedback: (w, u) => 8 * (u?.rows ?? 0) ** 2 + 8192 * w.cols,
  singularValues: a => singularValuesBytes(a.rows, a.cols),
  solveTriangular: (t, b) => matmulBytes(t.rows, t.cols, b.cols),
  svd: (a, options) => svdBytes(a.rows, a.cols, options),
  symmetricInverseSqrt: a => eighBytes(a.rows),
  symmetricSqrt: a => eighBytes(a.rows),
  tucker2: kernel => unfoldingBytes(kernel),
};

/** An SVD of each unfolding in turn. */
function unfoldingBytes({ data, dims }: Multiway): number {
  return Math.max(...dims.map(dim => svdBytes(dim, Math.ceil(data.length / dim))));
}

/**
 * WebAssembly memory that a task will take, in bytes.
 * @throws WhittleError where a matrix among the arguments is none
 */
export function bytesOf(task: TaskName, args: readonly unknown[]): number {
  const matrices = matricesOf(args);
  for (const a of matrices) assertMatrix(a);
  if (matrices.length === 0) assertMultiway(args[0] as Multiway);
  return (BYTES[task] as (...args: readonly unknown[]) => number)(...args);
}

/**
 * The SVD of one large matrix in stages that workers share: strips of the Gram matrix, its eigenvectors on one worker,
 * strips of the product with them, and the repairs on one worker again. Every element is summed in the same order as
 * in one piece, so the result has the same bits as `svd`, whatever the number of workers.
 */
import { WhittleError } from '../graph/errors.js';
import { eighBytes, matmulBytes, svdBytes } from './forecast.js';
import {
  assertMatrix,
  assertRank,
  type DenseMatrix,
  dense,
  type Matrix,
  notFinite,
  rowOf,
} from './matrix.js';
import type { Svd } from './svd.js';
import { divide, exponentOf, read, scaleBack, withKernels, write } from './workspace.js';

/** How the stages are run: in a pool, or one after another. */
export interface StageRunner {
  /** Number of strips to cut the products into. */
  readonly workers: number;
  gramStrip(...args: Parameters<typeof gramStrip>): Promise<DenseMatrix>;
  gramVectors(...args: Parameters<typeof gramVectors>): Promise<DenseMatrix>;
  productStrip(...args: Parameters<typeof productStrip>): Promise<DenseMatrix>;
  finishSvd(...args: Parameters<typeof finishSvd>): Promise<Svd>;
}

/** Elements from which the copies to several workers pay, if one side is at least twice the other. */
const LARGE = 2 ** 22;

/** Whether the products are a large part of the work, so that splitting them saves time. */
export function worthSplitting({ rows, cols }: Matrix): boolean {
  return rows * cols >= LARGE && Math.max(rows, cols) >= 2 * Math.min(rows, cols);
}

/** `svd(a, { rank })` in stages. */
export async function splitSvd(a: Matrix, rank: number, run: StageRunner): Promise<Svd> {
  assertMatrix(a);
  const wide = a.rows < a.cols;
  const [long, short] = wide ? [a.cols, a.rows] : [a.rows, a.cols];
  assertRank(rank, short);
  const exponent = exponentOf(largestOf(a));

  // Strips of the lower triangle with about equal areas.
  const borders = Array.from({ length: run.workers + 1 }, (_, w) =>
    Math.round(short * Math.sqrt(w / run.workers)),
  );
  const strips = await Promise.all(
    pairs(borders).map(([first, end]) => run.gramStrip(a, exponent, first, end - first)),
  );
  const g = dense(new Float64Array(short * short), short, short);
  strips.forEach((strip, w) => g.data.set(strip.data, borders[w]! * short));
  const vt = await run.gramVectors(g, rank);

  const cuts = Array.from({ length: run.workers + 1 }, (_, w) => Math.round((long * w) / run.workers));
  const products = await Promise.all(
    pairs(cuts).map(([first, end]) => {
      const from = wide ? first : first * a.stride;
      const size = wide ? { cols: end - first } : { rows: end - first };
      return run.productStrip(vt, { ...a, data: a.data.subarray(from), ...size }, exponent, wide);
    }),
  );
  const ut = dense(new Float64Array(vt.rows * long), vt.rows, long);
  products.forEach((product, w) => {
    for (let i = 0; i < vt.rows; i++) ut.data.set(rowOf(product, i), i * long + cuts[w]!);
  });
  return run.finishSvd(ut, vt, rank, exponent, wide);
}

function pairs(borders: readonly number[]): [number, number][] {
  return borders
    .slice(1)
    .map((end, i): [number, number] => [borders[i]!, end])
    .filter(([first, end]) => end > first);
}

/** @throws WhittleError where an element is NaN or infinite */
function largestOf(a: Matrix): number {
  let largest = 0;
  for (let i = 0; i < a.rows; i++) {
    for (const value of rowOf(a, i)) {
      const magnitude = Math.abs(value);
      if (!(magnitude < Number.POSITIVE_INFINITY)) throw notFinite(a);
      if (magnitude > largest) largest = magnitude;
    }
  }
  return largest;
}

/** Rows [first, first + count) of the Gram matrix of the shorter side, right of the diagonal undefined: count × short. */
export function gramStrip(a: Matrix, exponent: number, first: number, count: number): DenseMatrix {
  const { rows: m, cols: n } = a;
  const [long, short] = m < n ? [n, m] : [m, n];
  return withKernels(matmulBytes(m, n, 1) + 8 * count * short, `Gram matrix of ${m} × ${n}`, kernels => {
    const p = write(kernels, a);
    divide(kernels, m * n, p, exponent);
    const g = kernels.take(count * short);
    const [step, depth] = m < n ? [n, 1] : [1, n];
    const strip = p + 8 * first * step;
    const columns = first + count;
    kernels.gemmLower(count, columns, long, 1, strip, step, depth, p, depth, step, false, g, short, first);
    return dense(read(kernels, g, count * short), count, short);
  });
}

/** Eigenvectors of a Gram matrix as rows: `rank` of them, or all where small singular values are asked for. */
export function gramVectors(g: Matrix, rank: number): DenseMatrix {
  const n = g.rows;
  return withKernels(eighBytes(n), `eigenvectors of ${n} × ${n}`, kernels => {
    const p = write(kernels, g);
    const vt = kernels.take(n * n);
    const rows = assertConverged(kernels.gramVectors(n, p, vt, rank), g);
    return dense(read(kernels, vt, rows * n), rows, n);
  });
}

/** vt times the part of the matrix (rows of a tall one, columns of a wide one): vt.rows × their number. */
export function productStrip(vt: Matrix, part: Matrix, exponent: number, wide: boolean): DenseMatrix {
  const { rows: m, cols: n } = part;
  const [count, short] = wide ? [n, m] : [m, n];
  return withKernels(
    matmulBytes(vt.rows, short, count),
    `product of ${vt.rows} × ${short} and ${m} × ${n}`,
    kernels => {
      const pv = write(kernels, vt);
      const p = write(kernels, part);
      divide(kernels, m * n, p, exponent);
      const ut = kernels.take(vt.rows * count);
      const [rowStep, colStep] = wide ? [n, 1] : [1, n];
      kernels.gemm(vt.rows, count, short, 1, pv, short, 1, p, rowStep, colStep, false, ut, count);
      return dense(read(kernels, ut, vt.rows * count), vt.rows, count);
    },
  );
}

/** Repairs, order and signs: what `svd` does last. */
export function finishSvd(ut: Matrix, vt: Matrix, rank: number, exponent: number, wide: boolean): Svd {
  const { rows, cols: long } = ut;
  const short = vt.cols;
  return withKernels(svdBytes(long, short), `svd of ${long} × ${short}`, kernels => {
    const pu = write(kernels, ut);
    const pv = write(kernels, vt);
    const sigma = kernels.take(short);
    const [tall, flat] = [kernels.take(long * rank), kernels.take(short * rank)];
    assertConverged(kernels.finishSvd(long, short, rows, rank, pu, pv, sigma, tall, flat, wide), ut);
    const s = read(kernels, sigma, rank);
    scaleBack(s, exponent);
    const tallVectors = dense(read(kernels, tall, long * rank), long, rank);
    const flatVectors = dense(read(kernels, flat, short * rank), short, rank);
    return wide ? { u: flatVectors, s, v: tallVectors } : { u: tallVectors, s, v: flatVectors };
  });
}

function assertConverged(result: number, a: Matrix): number {
  if (result > 0) return result;
  throw new WhittleError(`svd of ${a.rows} × ${a.cols}: the eigenvalue iteration did not converge`, {
    hint: 'This should not happen for finite input; please report the matrix',
  });
}

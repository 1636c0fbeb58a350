import { cholesky, type DenseMatrix, matmul, matrix, solveTriangular, svd } from '../../linalg/index.js';
import { formatLabel, type StorageFormat, StoredFactor } from '../forms/factor.js';
import { applySpatial, isSpatial, type SpatialPair } from '../forms/spatial.js';
import type { Layer } from '../layer.js';
import type { Candidate, Method } from '../method.js';
import { INT8 } from './quantize.js';

/** Ranks to propose, as shares of the break-even rank. */
const SHARES = [0.2, 0.3, 0.4, 0.5, 0.65, 0.8];

/**
 * A kh × kw convolution as kh × 1 and then 1 × kw: the SVD of the kernel as an (out · kw) × (in · kh) matrix, and after
 * that the second factor anew by least squares on the inputs that calibration saw.
 * (Jaderberg, Vedaldi, Zisserman, "Speeding up convolutional neural networks with low rank expansions", BMVC 2014;
 * the refit after Zhang et al., "Accelerating very deep convolutional networks", PAMI 2016.)
 */
export const spatial: Method = {
  name: 'spatial',
  *propose(layer) {
    if (!isSpatial(layer.site)) return;
    const [out, width, kh, kw] = layer.site.tensor.dims as [number, number, number, number];
    const breakEven = (out * width * kh * kw) / (width * kh + out * kw);
    const ranks = SHARES.map(share => Math.max(1, 4 * Math.round((share * breakEven) / 4)));
    const kernel = new SpatialKernel(layer);
    for (const rank of new Set(ranks)) {
      if (rank < Math.min(breakEven, kernel.maxRank)) yield spatialCandidate(layer, kernel, rank, INT8);
    }
  },
};

function spatialCandidate(
  layer: Layer,
  kernel: SpatialKernel,
  rank: number,
  format: StorageFormat,
): Candidate {
  let cached: SpatialPair | undefined;
  const pair = () => (cached ??= kernel.pair(rank, format));
  return {
    method: 'spatial',
    label: `spatial ${formatLabel(format)}`,
    rank,
    weight: () => kernel.product(pair()),
    apply: target => applySpatial(target, layer.site, pair()),
  };
}

class SpatialKernel {
  private readonly layer: Layer;
  private readonly dims: readonly [number, number, number, number];
  private factors: { vertical: Float32Array; horizontal: Float32Array; rank: number } | undefined;
  private weighted: DenseMatrix | undefined;

  constructor(layer: Layer) {
    this.layer = layer;
    this.dims = layer.site.tensor.dims as [number, number, number, number];
  }

  get maxRank(): number {
    const [out, width, kh, kw] = this.dims;
    return Math.min(out * kw, width * kh);
  }

  pair(rank: number, format: StorageFormat): SpatialPair {
    const [out, width, kh, kw] = this.dims;
    this.factors ??= this.decompose();
    const length = width * kh;
    const data = this.factors.vertical.subarray(0, rank * length);
    const vertical = new StoredFactor({ data, rows: rank, cols: length }, format);
    // Fitted to the first factor as it is stored, so that it makes good for its rounding too.
    const fitted =
      this.refit(vertical.restored(), rank) ?? this.factors.horizontal.subarray(0, rank * out * kw);
    return {
      rank,
      vertical,
      horizontal: new StoredFactor({ data: fitted, rows: rank, cols: out * kw }, format),
    };
  }

  /** The kernel that the two stand for, (out, in · kh · kw). */
  product({ rank, vertical, horizontal }: SpatialPair): Float32Array {
    const [out, width, kh, kw] = this.dims;
    const h = matrix(horizontal.restored(), rank, out * kw);
    const v = matrix(vertical.restored(), rank, width * kh);
    return interleaved(matmul(h, v, { transposeA: true }).data, this.dims);
  }

  private decompose() {
    const [out, width, kh, kw] = this.dims;
    const { u, s, v } = svd(matrix(separated(this.layer.matrix.data, this.dims), out * kw, width * kh));
    const rank = s.length;
    const vertical = new Float32Array(rank * width * kh);
    const horizontal = new Float32Array(rank * out * kw);
    for (let k = 0; k < rank; k++) {
      for (let j = 0; j < width * kh; j++) vertical[k * width * kh + j] = v.data[j * v.stride + k]! * s[k]!;
      for (let i = 0; i < out * kw; i++) horizontal[k * out * kw + i] = u.data[i * u.stride + k]!;
    }
    return { vertical, horizontal, rank };
  }

  /**
   * With the first factor fixed, the second sees z = T x, x being a patch; B = W S Tᵀ (T S Tᵀ)⁻¹ is closest to the
   * layer's outputs.
   * @returns (rank, out · kw); `undefined` without calibration
   */
  private refit(vertical: Float32Array, rank: number): Float32Array | undefined {
    const second = this.layer.moment?.second[0];
    if (!second) return undefined;
    const [out, width, kh, kw] = this.dims;
    const patch = width * kh * kw;
    const t = new Float64Array(rank * kw * patch);
    for (let k = 0; k < rank; k++) {
      for (let j = 0; j < width * kh; j++) {
        for (let x = 0; x < kw; x++) t[(k * kw + x) * patch + j * kw + x] = vertical[k * width * kh + j]!;
      }
    }
    const s = matrix(second, patch, patch);
    const tall = matrix(t, rank * kw, patch);
    this.weighted ??= matmul(matrix(this.layer.matrix.data, out, patch), s);
    const gramian = matmul(matmul(tall, s), tall, { transposeB: true });
    const targets = matmul(tall, this.weighted, { transposeB: true }); // (rank · kw, out)
    const l = cholesky(ridged(gramian)).l;
    const b = solveTriangular(l, solveTriangular(l, targets), { transpose: true });
    const result = new Float32Array(rank * out * kw);
    for (let k = 0; k < rank; k++) {
      for (let x = 0; x < kw; x++) {
        for (let o = 0; o < out; o++) result[(k * out + o) * kw + x] = b.data[(k * kw + x) * b.stride + o]!;
      }
    }
    return result;
  }
}

/** Components that no input excites would make the system singular. */
function ridged({ data, rows }: DenseMatrix): DenseMatrix {
  const copy = Float64Array.from(data);
  let trace = 0;
  for (let i = 0; i < rows; i++) trace += copy[i * rows + i]!;
  for (let i = 0; i < rows; i++) copy[i * rows + i]! += (1e-6 * trace) / rows || 1;
  return matrix(copy, rows, rows);
}

type KernelDims = readonly [number, number, number, number];

/** (out, in, kh, kw) as (out · kw, in · kh). */
function separated(data: Float32Array, dims: KernelDims): Float32Array {
  const result = new Float32Array(data.length);
  eachTap(dims, (whole, apart) => {
    result[apart] = data[whole]!;
  });
  return result;
}

/** The opposite of `separated`. */
function interleaved(data: ArrayLike<number>, dims: KernelDims): Float32Array {
  const result = new Float32Array(data.length);
  eachTap(dims, (whole, apart) => {
    result[whole] = data[apart]!;
  });
  return result;
}

function eachTap([out, width, kh, kw]: KernelDims, visit: (whole: number, apart: number) => void): void {
  const length = width * kh;
  for (let o = 0; o < out; o++) {
    for (let j = 0; j < length; j++) {
      for (let x = 0; x < kw; x++) visit((o * length + j) * kw + x, (o * kw + x) * length + j);
    }
  }
}

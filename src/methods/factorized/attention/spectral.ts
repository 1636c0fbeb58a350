import { Tensor } from '../../../graph/tensor.js';
import { type Matrix, matmul, matrix, qr, svd, transpose } from '../../../linalg/index.js';
import type { AttentionLayer, LinearLayer, Network } from '../../../nn/index.js';
import { Random } from '../../../random/random.js';
import { spectralFactors } from '../spectral.js';
import { squaredNorm } from '../spectrum.js';
import { type AttentionProducts, attentionsOf } from './products.js';

/**
 * What is decomposed: `product` the present Q_h K_hᵀ and V_h O_hᵀ, which stay what they are while their factors become
 * balanced, or `gaussian` a random features × features matrix of the same norm, of which the largest headDim directions
 * are kept and scaled to that norm again.
 */
export type AttentionSpectrum = 'product' | 'gaussian';

/**
 * Spectral initialization of attention, in place: for each head, the factors of Q_h K_hᵀ and of V_h O_hᵀ become the
 * singular vectors of a matrix times √Σ. Biases stay. Attentions whose projections have been replaced are left alone.
 * @returns how many attentions were changed
 */
export function spectralAttention(network: Network, from: AttentionSpectrum = 'product'): number {
  const all = attentionsOf(network);
  for (const products of all) {
    const { attention } = products;
    const random = new Random(network.seed, `spectral/${attention.path}`);
    const weights = new Weights(network, products);
    for (let head = 0; head < attention.heads; head++) {
      for (const [left, right] of [
        ['query', 'key'],
        ['value', 'output'],
      ] as const) {
        const [a, b] = [weights.read(left, head), weights.read(right, head)];
        const [u, v] = from === 'product' ? balanced(a, b) : gaussian(a, b, random);
        weights.write(left, head, u);
        weights.write(right, head, v);
      }
    }
    weights.save();
  }
  return all.length;
}

/** A Bᵀ again, by factors P√Σ and Q√Σ, from the triangular factors of both; (features × headDim) each. */
function balanced(a: Matrix, b: Matrix): [Matrix, Matrix] {
  const [left, right] = [qr(a), qr(b)];
  const { u, s, v } = svd(matmul(left.r, right.r, { transposeB: true }));
  return [matmul(left.q, scaled(u, s)), matmul(right.q, scaled(v, s))];
}

/** Columns times √s. */
function scaled(a: Matrix, s: Float64Array): Matrix {
  const data = Float64Array.from(
    { length: a.rows * a.cols },
    (_, i) => a.data[i]! * Math.sqrt(s[i % a.cols]!),
  );
  return matrix(data, a.rows, a.cols);
}

function gaussian(a: Matrix, b: Matrix, random: Random): [Matrix, Matrix] {
  const { rows: size, cols: rank } = a;
  const norm = Math.sqrt(squaredNorm(matmul(a, b, { transposeB: true })));
  const noise = matrix(
    Float64Array.from({ length: size * size }, () => random.normal()),
    size,
    size,
  );
  const { u, vt } = spectralFactors(noise, rank);
  // Both factors have Σ as their squared column lengths.
  const kept = Math.sqrt(squaredNorm(matmul(u, vt)));
  const factor = kept === 0 ? 0 : Math.sqrt(norm / kept);
  const times = ({ data, rows, cols }: Matrix): Matrix =>
    matrix(
      Float64Array.from(data, x => factor * x),
      rows,
      cols,
    );
  return [times(u), times(transpose(vt))];
}

type Role = 'query' | 'key' | 'value' | 'output';

/** The projections' weights of one attention, read and written by head as (features × headDim) matrices. */
class Weights {
  private readonly network: Network;
  private readonly products: AttentionProducts;
  private readonly data: Map<LinearLayer, Float64Array> = new Map();

  constructor(network: Network, products: AttentionProducts) {
    this.network = network;
    this.products = products;
    for (const layer of [...products.projections, products.output]) {
      this.data.set(layer, network.tensor(layer.weight.name).toFloat64());
    }
  }

  read(role: Role, head: number): Matrix {
    const { layer, at, features, headDim } = this.slice(role, head);
    const data = this.data.get(layer)!;
    return matrix(
      Float64Array.from({ length: features * headDim }, (_, i) => data[at(i)]!),
      features,
      headDim,
    );
  }

  write(role: Role, head: number, a: Matrix): void {
    const { layer, at, features, headDim } = this.slice(role, head);
    const data = this.data.get(layer)!;
    for (let i = 0; i < features * headDim; i++) data[at(i)] = a.data[i]!;
  }

  save(): void {
    for (const [{ weight }, data] of this.data) {
      this.network.setTensor(weight.name, Tensor.float32(weight.dims, Float32Array.from(data)));
    }
  }

  /** Where element i of a (features × headDim) matrix is in the weight. */
  private slice(role: Role, head: number) {
    const { attention, projections, output } = this.products;
    const which = ['query', 'key', 'value'].indexOf(role);
    const fused = projections.length === 1;
    const layer = role === 'output' ? output : projections[fused ? 0 : which]!;
    const { headDim, heads }: AttentionLayer = attention;
    const features = role === 'output' ? layer.outFeatures : layer.inFeatures;
    const inner = role === 'output' ? layer.inFeatures : layer.outFeatures;
    const first = (role !== 'output' && fused ? which * heads * headDim : 0) + head * headDim;
    const innerFirst = (layer.layout === 'out-in') === (role !== 'output');
    const at = (i: number): number => {
      const [feature, column] = [Math.floor(i / headDim), first + (i % headDim)];
      return innerFirst ? column * features + feature : feature * inner + column;
    };
    return { layer, at, features, headDim };
  }
}

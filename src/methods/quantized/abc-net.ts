import { stopGradient, straightThrough } from '../../graph/autodiff/index.js';
import type { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';
import { constant } from '../../nn/index.js';
import { integer, number } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { signCode, type WeightCode, weightMatrix } from './codes.js';
import type { LayerContext } from './layers.js';
import { type QuantizedOptions, quantizedMethod } from './quantized-method.js';
import { LAYERS } from './select.js';
import { clip, meanOf, signOf } from './straight-through.js';

export interface AbcNetOptions extends QuantizedOptions {
  /** M, binary bases of a weight; default 3. */
  readonly weightBases?: number;
  /** N, binary bases of a layer's input; 0 leaves it as it is. Default 3. */
  readonly inputBases?: number;
  /** The outermost bases are shifted by this many standard deviations; default 1. */
  readonly spread?: number;
}

/** Keeps the equations solvable where two bases are the same. */
const RIDGE = 1e-5;

/**
 * ABC-Net: a weight is a sum of M binary tensors, Σ α_m B_m with B_m = sign(W − mean W + u_m·std W), u_m even between
 * ±spread and α by least squares; an input a sum of N, Σ β_n A_n with A_n = 1 where clip(x + v_n, 0, 1) ≥ ½ and −1
 * elsewhere, whose shifts v and sizes β are learned. The paper's M·N binary products are one product of the sums here:
 * the same numbers.
 *
 * Gradients pass straight through: of W the sum of α_m times those of B_m, of an input those of A_n times β_n where
 * 0 ≤ x + v_n ≤ 1. Lin, Zhao & Pan, 2017, https://arxiv.org/abs/1711.11294.
 */
export function abcNet(options: AbcNetOptions = {}): TrainingMethod {
  const { weightBases = 3, inputBases = 3, spread = 1, layers = 'inner' } = options;
  const shifts = basisShifts(weightBases, spread);
  return quantizedMethod({
    name: 'abc-net',
    layers,
    zeros: false,
    weight({ b, weight }) {
      const centred = b.sub(weight, meanOf(b, weight));
      const deviation = b.sqrt(meanOf(b, b.square(centred)));
      const bases = shifts.map(u => signOf(b, b.add(centred, b.mul(deviation, u))));
      const sizes = leastSquares(b, bases, weight).map(size => stopGradient(b.graph, size));
      return b.total(bases.map((basis, m) => b.mul(straightThrough(b.graph, weight, basis), sizes[m]!)));
    },
    ...(inputBases > 0 && { input: context => binaryInput(context, inputBases) }),
    weightCodes: (layer, read) => codesOf(weightMatrix(layer, read(layer.weight.name)), shifts),
  });
}

/** u_m = −spread + (m − 1)·2·spread/(M − 1); 0 for one basis. */
export const basisShifts = (count: number, spread: number): number[] =>
  Array.from({ length: count }, (_, m) => (count === 1 ? 0 : spread * (-1 + (2 * m) / (count - 1))));

function binaryInput({ b, scope, input: x }: LayerContext, count: number): Value {
  const terms = Array.from({ length: count }, (_, n) => {
    // Thresholds ½ − v begin even between 0 and 1.
    const learned = (name: string, value: number): Value =>
      scope.parameter(`${name}.${n}`, [], { kind: 'scale', initializer: constant(value) });
    const shift = learned('input_shift', 0.5 - (n + 1) / (count + 1));
    const size = learned('input_size', 1 / count);
    const inside = clip(b, b.add(x, shift), 0, 1);
    return b.mul(straightThrough(b.graph, inside, signOf(b, b.sub(inside, 0.5))), size);
  });
  return b.total(terms);
}

/** α that brings Σ α_m B_m closest to w: (BᵀB) α = Bᵀw, both sides over the number of weights. */
function leastSquares(b: Builder, bases: readonly Value[], w: Value): Value[] {
  const product = (x: Value, y: Value): Value => meanOf(b, b.mul(x, y));
  const matrix = bases.map((basis, i) =>
    bases.map((other, j) => (i === j ? b.scalar(1 + RIDGE) : product(basis, other))),
  );
  return solve(
    matrix,
    bases.map(basis => product(basis, w)),
    { sub: (x, y) => b.sub(x, y), mul: (x, y) => b.mul(x, y), div: (x, y) => b.div(x, y) },
  );
}

interface Arithmetic<T> {
  sub(x: T, y: T): T;
  mul(x: T, y: T): T;
  div(x: T, y: T): T;
}

/** Gaussian elimination, of values of a graph or of numbers; the matrix is positive definite. */
function solve<T>(matrix: readonly (readonly T[])[], right: readonly T[], of: Arithmetic<T>): T[] {
  const a = matrix.map(row => [...row]);
  const x = [...right];
  for (let k = 0; k < x.length; k++) {
    for (let i = k + 1; i < x.length; i++) {
      const factor = of.div(a[i]![k]!, a[k]![k]!);
      for (let j = k + 1; j < x.length; j++) a[i]![j] = of.sub(a[i]![j]!, of.mul(factor, a[k]![j]!));
      x[i] = of.sub(x[i]!, of.mul(factor, x[k]!));
    }
  }
  for (let k = x.length - 1; k >= 0; k--) {
    for (let j = k + 1; j < x.length; j++) x[k] = of.sub(x[k]!, of.mul(a[k]![j]!, x[j]!));
    x[k] = of.div(x[k]!, a[k]![k]!);
  }
  return x;
}

const NUMBERS: Arithmetic<number> = { sub: (x, y) => x - y, mul: (x, y) => x * y, div: (x, y) => x / y };

/** The bases as bits, one term each. */
function codesOf(matrix: ReturnType<typeof weightMatrix>, shifts: readonly number[]): WeightCode[] {
  const { data } = matrix;
  const mean = Math.fround(data.reduce((sum, w) => sum + w, 0) / data.length);
  const centred = data.map(w => w - mean);
  const deviation = Math.sqrt(centred.reduce((sum, w) => sum + w * w, 0) / data.length);
  const shifted = shifts.map(u => centred.map(w => w + Math.fround(deviation * u)));
  const bases = shifted.map(row => row.map(w => (w >= 0 ? 1 : -1)));
  const product = (x: ArrayLike<number>, y: ArrayLike<number>): number => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
    return sum / x.length;
  };
  const sizes = solve(
    bases.map((basis, i) => bases.map((other, j) => (i === j ? 1 + RIDGE : product(basis, other)))),
    bases.map(basis => product(basis, data)),
    NUMBERS,
  );
  return shifted.map((row, m) => signCode({ ...matrix, data: row }, () => sizes[m]!));
}

export const ABC_NET = defineMethod({
  name: 'abc-net',
  family: 'quantized',
  summary: 'Weights and inputs are sums of a few binary tensors.',
  paper: {
    title: 'Towards Accurate Binary Convolutional Neural Network',
    authors: 'Lin, Zhao, Pan',
    year: 2017,
    url: 'https://arxiv.org/abs/1711.11294',
  },
  settings: {
    weightBases: integer(3, { min: 1, max: 8, description: 'M, binary tensors in a weight' }),
    inputBases: integer(3, {
      min: 0,
      max: 8,
      description: 'N, binary tensors in an input; 0 leaves it as it is',
    }),
    spread: number(1, {
      min: 0,
      description: 'how far the outermost bases are shifted, in standard deviations',
    }),
    layers: LAYERS,
  },
  create: abcNet,
});

import { WhittleError } from '../../graph/errors.js';
import { sizeOf } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { type DenseMatrix, matrix, toDense, transpose } from '../../linalg/index.js';
import { type Initializer, normal } from '../../nn/initializers.js';
import type { LinearLayer } from '../../nn/layer.js';
import type { Network } from '../../nn/network.js';
import { replaceLayer } from '../../nn/replace-layer.js';
import type { Scope } from '../../nn/scope.js';
import { asRows } from './rows.js';

export interface LinearShape {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** How many vectors a training step multiplies, where it is known. */
  readonly rows?: number;
}

/** A tensor that a structured weight is made of. */
export interface Factor {
  readonly name: string;
  readonly dims: readonly number[];
  /** Variance of its initial elements, so that the weight's elements have variance `perWeight` on average. */
  readonly variance: (perWeight: number) => number;
}

/** A family of out × in matrices of fewer parameters, and how a vector is multiplied by one of them. */
export interface Structure extends Pick<LinearShape, 'inFeatures' | 'outFeatures'> {
  readonly factors: readonly Factor[];
  /** Multiplications (each with an addition) that `apply` takes for so many rows. */
  macs(rows: number): number;
  /**
   * x Wᵀ.
   * @param rows (rows, inFeatures)
   * @returns (rows, outFeatures)
   */
  apply(scope: Scope, rows: Value, factors: readonly Value[]): Value;
  /** The factors, flat, of the member nearest to a dense weight (out × in) in the Frobenius norm. */
  fromDense(weight: DenseMatrix): Float32Array[];
}

/** Parameters of a structured weight, without bias. */
export const parameterCount = ({ factors }: Structure): number =>
  factors.reduce((sum, { dims }) => sum + sizeOf(dims), 0);

/**
 * Where the factors start: `variance`, random, such that outputs vary as much as those of the layer replaced; `dense`,
 * as near to the layer's present weight as the structure allows.
 */
export type Start = 'variance' | 'dense';

/**
 * Puts a structured weight in the place of a linear layer's; the bias stays. Its parameters lie under the layer's path.
 * @param sizes of symbolic dimensions in a training step
 * @throws WhittleError where the layer is none or is not linear
 */
export function replaceLinear(
  network: Network,
  path: string,
  structureOf: (shape: LinearShape) => Structure,
  start: Start = 'variance',
  sizes: Readonly<Record<string, number>> = {},
): void {
  replaceLayer(network, path, (scope, layer) => {
    if (layer.kind !== 'linear')
      throw new WhittleError(`"${path}" is a ${layer.kind} layer, not a linear one`);
    const { inFeatures, outFeatures } = layer;
    const rows = network.training ? rowsOf(layer, sizes) : undefined;
    const structure = structureOf({ inFeatures, outFeatures, ...(rows !== undefined && { rows }) });
    const weight = denseWeight(network, layer);
    const initializers =
      start === 'dense' ? nearest(structure, weight) : drawn(structure, meanSquare(weight));
    const factors = structure.factors.map(({ name, dims }, i) =>
      scope.parameter(name, dims, { kind: 'weight', initializer: initializers[i]! }),
    );
    return asRows(scope, layer.input, layer.outFeatures, rows => {
      const product = structure.apply(scope, rows, factors);
      return layer.bias ? scope.op('Add', [product, layer.bias.value]) : product;
    });
  });
}

/** A model at rest makes what is made of constants once, however few vectors follow. */
function rowsOf({ input }: LinearLayer, sizes: Readonly<Record<string, number>>): number | undefined {
  const leading = input.shape?.slice(0, -1).map(dim => (typeof dim === 'string' ? sizes[dim] : dim));
  return leading?.every(dim => typeof dim === 'number') ? sizeOf(leading) : undefined;
}

/** The present weight of a linear layer, out × in. */
export function denseWeight(network: Network, layer: LinearLayer): DenseMatrix {
  const data = network.tensor(layer.weight.name).toFloat32();
  const { inFeatures, outFeatures } = layer;
  return layer.layout === 'out-in'
    ? toDense(matrix(data, outFeatures, inFeatures))
    : transpose(matrix(data, inFeatures, outFeatures));
}

const meanSquare = ({ data }: DenseMatrix): number => data.reduce((sum, x) => sum + x * x, 0) / data.length;

const drawn = ({ factors }: Structure, perWeight: number): Initializer[] =>
  factors.map(({ variance }) => normal(Math.sqrt(variance(perWeight))));

const nearest = (structure: Structure, weight: DenseMatrix): Initializer[] =>
  structure.fromDense(weight).map(data => () => data.slice());

import { expect } from 'vitest';
import { gradients } from '../../../src/graph/autodiff/index.js';
import { graphCost } from '../../../src/graph/cost.js';
import { type Model, Tensor, typedBuilder, type Value } from '../../../src/graph/index.js';
import { sizeOf } from '../../../src/graph/tensor.js';
import { matrix } from '../../../src/linalg/index.js';
import {
  type LinearShape,
  parameterCount,
  replaceLinear,
  type Start,
  type Structure,
} from '../../../src/methods/structured/index.js';
import { exportForInference } from '../../../src/nn/export.js';
import { linear } from '../../../src/nn/layers/linear.js';
import type { Network } from '../../../src/nn/network.js';
import { Random } from '../../../src/random/random.js';
import { layerNetwork, run } from '../../nn/run.js';

export type Factors = readonly Float64Array[];

/** A structure, with the explicit weight (out × in) that its factors stand for. */
export interface Example {
  readonly structure: Structure;
  readonly dense: (factors: Factors) => Float64Array;
}

/** One linear layer `fc` between `x` and `y`, replaced by the structure. `leading` are the dimensions before the last. */
export function replaced(
  shape: LinearShape,
  structure: Structure,
  { leading = [], layout = 'out-in', start = 'variance', seed = 3 }: Partial<Setting> = {},
): Network {
  const network = layerNetwork(
    [...leading, shape.inFeatures],
    (scope, x) => linear(scope.at('fc'), x, { ...shape, layout }),
    { training: true, seed },
  );
  replaceLinear(network, 'fc', () => structure, start);
  return network;
}

export interface Setting {
  readonly leading: readonly number[];
  readonly layout: 'out-in' | 'in-out';
  readonly start: Start;
  readonly seed: number;
}

export const factorsOf = (network: Network, { factors }: Structure): Float64Array[] =>
  factors.map(({ name }) => Float64Array.from(network.tensor(`fc.${name}`).toFloat32()));

const numbers = (random: Random, length: number): Float32Array =>
  Float32Array.from({ length }, () => random.normal());

/** x Wᵀ + b in float64. */
function affine(x: ArrayLike<number>, weight: Float64Array, bias: ArrayLike<number>, shape: LinearShape) {
  const { inFeatures, outFeatures } = shape;
  const y = new Float64Array((x.length / inFeatures) * outFeatures);
  for (let at = 0; at < y.length; at++) {
    const [row, o] = [Math.floor(at / outFeatures), at % outFeatures];
    let sum = bias[o]!;
    for (let i = 0; i < inFeatures; i++) sum += weight[o * inFeatures + i]! * x[row * inFeatures + i]!;
    y[at] = sum;
  }
  return y;
}

function expectNear(actual: ArrayLike<number>, expected: Float64Array, tolerance = 2e-5): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1e-30, ...Array.from(expected, Math.abs));
  const error = Math.max(...Array.from(expected, (value, i) => Math.abs(actual[i]! - value)));
  expect(error / scale).toBeLessThan(tolerance);
}

/** Forward, exported too, and gradients against the explicit weight; parameters and multiplications against formulas. */
export async function checkStructure(
  { structure, dense }: Example,
  { seed, leading = [] }: { seed: number; leading?: readonly number[] },
): Promise<void> {
  const random = new Random(seed, 'structure');
  const { inFeatures, outFeatures } = structure;
  const network = replaced(structure, structure, { leading, seed });
  const factors = factorsOf(network, structure);
  const bias = network.tensor('fc.bias').toFloat32();
  expect(network.parameterCount()).toBe(parameterCount(structure) + outFeatures);

  const dims = [3, ...leading, inFeatures];
  const x = numbers(random, sizeOf(dims));
  const expected = affine(x, dense(factors), bias, structure);
  const feeds = { x: Tensor.float32(dims, x) };
  const y = (await run(network.toModel(), feeds)).y!;
  expect(y.dims).toEqual([3, ...leading, outFeatures]);
  expectNear(y.toFloat32(), expected);
  const exported = exportForInference(network);
  expectNear((await run(exported, feeds)).y!.toFloat32(), expected);
  const rows = x.length / inFeatures;
  expect(graphCost(exported, { inputShapes: { x: dims } }).macs).toBe(structure.macs(rows));

  await checkGradients(network, structure, dense, { feeds, x, random });
}

/** A weight is linear in each of its factors, so that a large step along a direction gives the derivative exactly. */
async function checkGradients(
  network: Network,
  structure: Structure,
  dense: Example['dense'],
  { feeds, x, random }: { feeds: Record<string, Tensor>; x: Float32Array; random: Random },
): Promise<void> {
  const { inFeatures, outFeatures } = structure;
  const rows = x.length / inFeatures;
  const g = numbers(random, rows * outFeatures);
  const model = network.toModel();
  const factors = factorsOf(network, structure);
  const found = await gradientsOf(
    model,
    structure.factors.map(({ name }) => network.parameter(`fc.${name}`).value),
    { feeds, g: Tensor.float32([...feeds.x!.dims.slice(0, -1), outFeatures], g) },
  );
  const weightGradient = new Float64Array(outFeatures * inFeatures);
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < outFeatures; o++) {
      for (let i = 0; i < inFeatures; i++) {
        weightGradient[o * inFeatures + i]! += g[row * outFeatures + o]! * x[row * inFeatures + i]!;
      }
    }
  }
  for (const [k, factor] of factors.entries()) {
    const gradient = found[k]!.toFloat32();
    const direction = numbers(random, factor.length);
    const moved = (sign: number) =>
      dense(
        factors.with(
          k,
          factor.map((value, i) => value + (sign * direction[i]!) / 2),
        ),
      );
    const [ahead, behind] = [moved(1), moved(-1)];
    let [slope, scale, product] = [0, 0, 0];
    weightGradient.forEach((value, i) => {
      const term = value * (ahead[i]! - behind[i]!);
      slope += term;
      scale += Math.abs(term);
    });
    direction.forEach((value, i) => (product += value * gradient[i]!));
    expect(Math.abs(product - slope)).toBeLessThan(2e-5 * Math.max(scale, 1e-6));
  }
}

async function gradientsOf(
  model: Model,
  of: readonly Value[],
  { feeds, g }: { feeds: Record<string, Tensor>; g: Tensor },
): Promise<Tensor[]> {
  const b = typedBuilder(model);
  const weights = model.graph.constant(g, 'weights');
  const loss = b.op('ReduceSum', [b.mul(model.graph.outputs[0]!, weights)], { keepdims: 0 });
  const names = gradients(model, loss, [...of]).map((value, i) =>
    model.graph.addOutput(b.op('Identity', [value]), `gradient${i}`),
  );
  const found = await run(model, feeds);
  return names.map(({ name }) => found[name]!);
}

/** ‖W − dense(fromDense(W))‖² and ‖W‖². */
export function approximation({ structure, dense }: Example, weight: Float64Array<ArrayBuffer>) {
  const { inFeatures, outFeatures } = structure;
  const factors = structure.fromDense(matrix(weight, outFeatures, inFeatures));
  expect(factors.map(({ length }) => length)).toEqual(structure.factors.map(({ dims }) => sizeOf(dims)));
  const near = dense(factors.map(data => Float64Array.from(data)));
  let [error, total] = [0, 0];
  weight.forEach((value, i) => {
    error += (value - near[i]!) ** 2;
    total += value ** 2;
  });
  return { error, total, near };
}

import { describe, expect, it } from 'vitest';
import { observe } from '../../src/calibrate/observe.js';
import { findSites } from '../../src/calibrate/sites.js';
import { captureInputs } from '../../src/compress/capture.js';
import { StoredFactor } from '../../src/compress/forms/factor.js';
import { Layer } from '../../src/compress/layer.js';
import {
  type Factors,
  leastRankErrors,
  maxRank,
  plainFactors,
  rankErrors,
  whitenedFactors,
} from '../../src/compress/methods/factors.js';
import { lowrank, svd, svdQuantize } from '../../src/compress/methods/lowrank.js';
import { storedErrors } from '../../src/compress/methods/stored-errors.js';
import { LayerProbe } from '../../src/compress/probe.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import { matmul, matrix } from '../../src/linalg/index.js';
import { oneLayer } from './one-layer.js';

async function layerOf(name: string) {
  const made = oneLayer(name);
  inferShapes(made.model);
  for await (const group of observe(made.model, findSites(made.model), made.samples, { threads: 1 })) {
    const [site, observation] = [...group][0]!;
    return { ...made, site, layer: new Layer(site, observation) };
  }
  throw new Error('no site');
}

function restore({ rows, cols, groups, outer, inner }: Factors, rank: number): Float32Array {
  const result = new Float32Array(rows * cols);
  const groupRows = rows / groups;
  const [u, v] = [outer(rank), inner(rank)];
  for (let g = 0; g < groups; g++) {
    const product = matmul(
      matrix(u.subarray(g * groupRows * rank, (g + 1) * groupRows * rank), groupRows, rank),
      matrix(v.subarray(g * rank * cols, (g + 1) * rank * cols), rank, cols),
    );
    result.set(product.data, g * groupRows * cols);
  }
  return result;
}

/** Energy of the singular values beyond a rank. */
const tail = (spectra: readonly Float64Array[], rank: number): number =>
  spectra.reduce((sum, s) => sum + s.subarray(rank).reduce((a, v) => a + v * v, 0), 0);

const NAMES = [
  'MatMul x · W',
  'MatMul W · x',
  'Gemm transA, transB, alpha, beta',
  'Conv 2-D',
  'Conv 2-D in groups',
];

describe('factors', () => {
  it.each(NAMES)('the least errors are those of activation-aware factors: %s', async name => {
    const { layer } = await layerOf(name);
    const errors = rankErrors(layer, whitenedFactors(layer));
    const least = leastRankErrors(layer);
    expect(least).toHaveLength(errors.length);
    for (const [rank, error] of errors.entries()) expect(least[rank]).toBeCloseTo(error, 5);
  });

  it('no factorization of a table errs less than the bound', async () => {
    const { layer } = await layerOf('Gather');
    const least = leastRankErrors(layer);
    const factors = plainFactors(layer);
    for (let rank = 1; rank < maxRank(factors); rank++) {
      expect(layer.error(restore(factors, rank))).toBeGreaterThanOrEqual(least[rank]! - 1e-6);
      expect(least[rank]).toBeGreaterThan(0);
    }
  });

  it.each(NAMES)('the error of every rank is the tail of the spectrum (Eckart–Young): %s', async name => {
    const { layer } = await layerOf(name);
    const whitened = whitenedFactors(layer);
    const plain = plainFactors(layer);
    const zero = layer.error(new Float32Array(layer.matrix.data.length));
    const whole = tail(whitened.spectra, 0);
    for (let rank = 1; rank <= maxRank(whitened); rank++) {
      // Both against the output's spread: error(0)² · tail(rank) / tail(0).
      const expected = zero * Math.sqrt(tail(whitened.spectra, rank) / whole);
      const measured = layer.error(restore(whitened, rank));
      expect(measured).toBeCloseTo(expected, 4);
      expect(measured).toBeLessThanOrEqual(layer.error(restore(plain, rank)) + 1e-6);
    }
  });

  it.each(NAMES)('plain factors leave the least difference of weights: %s', async name => {
    const { layer } = await layerOf(name);
    const { data } = layer.matrix;
    const plain = plainFactors(layer);
    for (const rank of [1, 2, maxRank(plain)]) {
      const restored = restore(plain, rank);
      const difference = data.reduce((sum, v, i) => sum + (v - restored[i]!) ** 2, 0);
      expect(difference).toBeCloseTo(tail(plain.spectra, rank), 5);
    }
  });

  it.each(NAMES)('the errors of all ranks in closed form: %s', async name => {
    const { layer } = await layerOf(name);
    for (const factors of [plainFactors(layer), whitenedFactors(layer)]) {
      const errors = rankErrors(layer, factors);
      expect(errors).toHaveLength(maxRank(factors) + 1);
      for (let rank = 1; rank <= maxRank(factors); rank++) {
        expect(errors[rank]).toBeCloseTo(layer.error(restore(factors, rank)), 4);
      }
    }
  });

  it.each(NAMES)('the errors of all ranks as factors are stored: %s', async name => {
    const { layer } = await layerOf(name);
    for (const method of [svdQuantize, lowrank]) {
      for (const candidate of method.propose(layer)) {
        expect(candidate.error!()).toBeCloseTo(layer.error(candidate.weight()), 6);
      }
    }
    for (const factors of [plainFactors(layer), whitenedFactors(layer)]) {
      const rank = maxRank(factors);
      const { rows, cols, groups } = factors;
      const outer = factors.outer(rank);
      const columns = new Float32Array(rank * rows);
      for (let r = 0; r < rows; r++)
        for (let k = 0; k < rank; k++) columns[k * rows + r] = outer[r * rank + k]!;
      const errors = storedErrors(layer, {
        rank,
        inner: new StoredFactor({ data: factors.inner(rank), rows: groups * rank, cols }, 'float32'),
        outer: new StoredFactor({ data: columns, rows: rank, cols: rows }, 'float32'),
      })!;
      // Without rounding they are those of the spectrum.
      for (const [r, expected] of rankErrors(layer, factors).entries())
        expect(errors[r]).toBeCloseTo(expected, 4);
    }
  });

  it.each([svd, lowrank])(
    '$name: a search by forward passes finds the rank of the closed form',
    async method => {
      for (const name of ['MatMul x · W', 'Conv 2-D', 'Conv 2-D in groups']) {
        const { layer, site, model, samples } = await layerOf(name);
        const runs = await captureInputs(model, [site], samples, { threads: 1 });
        const probe = new LayerProbe(site, model, runs.get(site)!, 1);
        for (const error of [0.1, 0.3, 0.6]) {
          const bound = { error, bytes: 1e9, forward: false };
          const closed = await method.search!(layer, {
            ...bound,
            measure: async candidate => layer.error(candidate.weight()),
          });
          const forward = await method.search!(layer, {
            ...bound,
            forward: true,
            measure: candidate => probe.error(candidate),
          });
          expect(forward?.rank).toBe(closed?.rank);
        }
      }
    },
  );
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cluster, clusterCandidate } from '../../../src/compress/methods/cluster.js';
import { bestCodebook, Codebook } from '../../../src/compress/methods/codebook.js';
import { quantizeCandidate } from '../../../src/compress/methods/quantize.js';
import { Random } from '../../../src/random/random.js';
import { executed } from '../forms/executed.js';
import { layersOf, modelOf, numbers, outputs, relativeError, withWeights, write } from '../forms/written.js';
import { LAYER_NAMES, oneLayer } from '../one-layer.js';

/** Σ weight · (value − nearest level)². */
function objective(
  values: ArrayLike<number>,
  levels: ArrayLike<number>,
  weights?: ArrayLike<number>,
): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const distances = Array.from(levels, level => (values[i]! - level) ** 2);
    sum += Math.min(...distances) * (weights?.[i] ?? 1);
  }
  return sum;
}

/** The least objective over all ways to cut the sorted values into `count` runs. */
function bruteForce(sorted: readonly [number, number][], count: number): number {
  const ofRun = (run: readonly [number, number][]) => {
    const mass = run.reduce((sum, [, weight]) => sum + weight, 0);
    const mean = run.reduce((sum, [value, weight]) => sum + value * weight, 0) / mass;
    return run.reduce((sum, [value, weight]) => sum + weight * (value - mean) ** 2, 0);
  };
  if (count === 1 || sorted.length <= 1) return ofRun(sorted);
  let best = ofRun(sorted);
  for (let cut = 1; cut < sorted.length; cut++) {
    best = Math.min(best, bruteForce(sorted.slice(0, cut), count - 1) + ofRun(sorted.slice(cut)));
  }
  return best;
}

describe('bestCodebook', () => {
  it('is as good as the best of all partitions', () => {
    const point = fc.tuple(fc.integer({ min: -500, max: 500 }), fc.integer({ min: 1, max: 9 }));
    fc.assert(
      fc.property(
        fc.array(point, { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 4 }),
        (points, count) => {
          const sorted = points.toSorted((a, b) => a[0] - b[0]);
          const values = points.map(([value]) => value);
          const weights = points.map(([, weight]) => weight);
          const found = objective(values, bestCodebook(values, count, weights), weights);
          expect(found).toBeCloseTo(bruteForce(sorted, count), 6);
        },
      ),
    );
  });

  it('is no worse than k-means from many starts, and better with each further level', () => {
    const random = new Random(3);
    const values = numbers(random, 3000).map(v => v ** 3);
    let last = Infinity;
    for (const count of [2, 4, 8, 16]) {
      const found = objective(values, bestCodebook(values, count));
      expect(found).toBeLessThan(last);
      last = found;
      for (let start = 0; start < 5; start++) {
        const levels = Float64Array.from({ length: count }, () => values[random.integer(values.length)]!);
        for (let i = 0; i < 20; i++) lloyd(values, levels);
        // Cells have a width, which costs a little.
        expect(found).toBeLessThan(1.001 * objective(values, levels));
      }
    }
  });

  it('gives every number a level of its own where there are enough', () => {
    expect([...bestCodebook([3, -1, 3, 7, -1], 8)]).toEqual([-1, 3, 7]);
    expect([...bestCodebook([5, 5, 5], 4)]).toEqual([5]);
  });
});

function lloyd(values: Float32Array, levels: Float64Array): void {
  const sums = new Float64Array(levels.length);
  const counts = new Float64Array(levels.length);
  for (const value of values) {
    let nearest = 0;
    for (let k = 1; k < levels.length; k++) {
      if (Math.abs(value - levels[k]!) < Math.abs(value - levels[nearest]!)) nearest = k;
    }
    sums[nearest]! += value;
    counts[nearest]!++;
  }
  for (let k = 0; k < levels.length; k++) if (counts[k]! > 0) levels[k] = sums[k]! / counts[k]!;
}

describe('Codebook', () => {
  it('finds the nearest level', () => {
    const level = fc.float({ min: -8, max: 8, noNaN: true });
    fc.assert(
      fc.property(fc.array(level, { minLength: 1, maxLength: 40 }), fc.array(level), (unsorted, values) => {
        const levels = Float32Array.from(unsorted).sort();
        const codebook = new Codebook(levels);
        for (const value of [...values, -100, 100]) {
          const least = Math.min(...Array.from(levels, l => Math.abs(l - value)));
          expect(Math.abs(levels[codebook.nearest(value)]! - value)).toBe(least);
        }
      }),
    );
  });
});

describe('cluster', () => {
  it.each(LAYER_NAMES)('writes what it promises: %s', async name => {
    const { model, samples } = oneLayer(name);
    const inputs = samples.slice(0, 1);
    const [layer] = await layersOf(model, inputs);
    for (const candidate of [
      ...cluster.propose(layer!),
      clusterCandidate(layer!, { bits: 3, block: 8, codebooks: 2 }),
      clusterCandidate(layer!, { bits: 8, block: 0 }),
    ]) {
      const weights = withWeights(model, [[layer!.site, candidate.weight()]]);
      const written = write(model, [[layer!.site, candidate]]);
      for (const each of [weights, written]) each.graph.outputs[0]!.name = 'y';
      const [promised, got] = [await outputs(weights, inputs), await outputs(written, inputs)];
      expect(relativeError(promised, got), candidate.label).toBeLessThan(1e-5);
    }
  });

  it('is looked up when the model is loaded, not in every run', async () => {
    const { model, samples } = modelOf([4, 60, 24], (g, x, c) => g.op('MatMul', [x, c([24, 10])]));
    const [layer] = await layersOf(model, samples);
    for (const format of [
      { bits: 3, block: 0 },
      { bits: 4, block: 16 },
      { bits: 3, block: 8, codebooks: 2 },
      { bits: 8, block: 0 },
    ]) {
      const written = write(model, [[layer!.site, clusterCandidate(layer!, format)]]);
      expect(await executed(written, samples[0]!), JSON.stringify(format)).toEqual(['MatMul']);
    }
  });

  it.each([7, 9, 13])('runs at opset %i and in float16', async opset => {
    for (const dtype of ['float32', 'float16'] as const) {
      const { model, samples } = oneLayer('Gemm with bias', { opset, dtype });
      const [layer] = await layersOf(model, samples);
      const candidate = clusterCandidate(layer!, { bits: 4, block: 0 });
      const promised = withWeights(model, [[layer!.site, candidate.weight()]]);
      const written = write(model, [[layer!.site, candidate]]);
      for (const each of [promised, written]) each.graph.outputs[0]!.name = 'y';
      const error = relativeError(await outputs(promised, samples), await outputs(written, samples));
      expect(error).toBeLessThan(dtype === 'float16' ? 2e-3 : 1e-5);
    }
  });

  it('errs less than evenly spaced levels, and less with calibration than without', async () => {
    const { model, samples } = modelOf([8, 200, 96], (g, x, c) => g.op('MatMul', [x, c([96, 120])]));
    const [layer] = await layersOf(model, samples);
    const [blind] = await layersOf(model, []);
    for (const format of [
      { bits: 3, block: 32 },
      { bits: 4, block: 0 },
      { bits: 5, block: 64 },
    ]) {
      const error = layer!.error(clusterCandidate(layer!, format).weight());
      expect(error).toBeLessThan(layer!.error(quantizeCandidate(layer!, format).weight()));
      expect(error).toBeLessThan(layer!.error(clusterCandidate(blind!, format).weight()));
    }
  });
});

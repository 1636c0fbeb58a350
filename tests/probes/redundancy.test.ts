import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { singularValues } from '../../src/linalg/index.js';
import { matrix } from '../../src/linalg/matrix.js';
import { exportForInference, gpt2, mlp, type Network } from '../../src/nn/index.js';
import { leastPassing } from '../../src/probes/bisect.js';
import { probedLayers, redundancy, SQUEEZES, withWeights } from '../../src/probes/index.js';
import { Random } from '../../src/random/random.js';
import { run } from '../nn/run.js';

const network = (): Network => mlp({ widths: [6, 8, 5, 3], training: true, seed: 4 });

it('bisection finds the least that passes, and says where none does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(60), fc.nat(60), async (count, least) => {
      let asked = 0;
      const found = await leastPassing(count, at => {
        asked++;
        return at >= least;
      });
      expect(found).toBe(least < count ? least : undefined);
      expect(asked).toBeLessThanOrEqual(Math.ceil(Math.log2(count + 1)));
    }),
  );
});

describe.each(SQUEEZES.map(squeeze => ({ squeeze, name: squeeze.name })))('$name', ({ squeeze }) => {
  const layers = probedLayers(network(), 'all');

  it('takes less with each level, and errors fall', () => {
    const errorOf = (level: number): number => {
      const { weights } = squeeze.at(layers, level);
      return weights.reduce(
        (sum, data, i) => sum + data.reduce((part, x, j) => part + (x - layers[i]!.weight[j]!) ** 2, 0),
        0,
      );
    };
    const { levels } = squeeze;
    const chosen = [0, Math.floor(levels / 3), Math.floor((2 * levels) / 3), levels - 1];
    const sizes = chosen.map(level => squeeze.at(layers, level).size);
    expect([...sizes].sort((a, b) => a - b)).toEqual(sizes);
    const errors = chosen.map(errorOf);
    for (let i = 1; i < 4; i++) expect(errors[i]!).toBeLessThanOrEqual(errors[i - 1]! + 1e-9);
    expect(errors[0]!).toBeGreaterThan(0);
    expect(errors[3]!).toBeLessThan(1e-3);
  });
});

describe('what is left is what the size says', () => {
  const layers = probedLayers(network(), 'all');
  const [pruned, narrowed, factorized, quantized, clustered] = SQUEEZES;
  const distinct = (data: Float32Array): number => new Set(data).size;

  it('weights and neurons', () => {
    // 48 + 40 weights, 13 neurons; level 32 is a quarter.
    const left = pruned!.at(layers, 32);
    expect(left.size).toBe(0.25);
    expect(left.weights.flatMap(data => [...data]).filter(x => x !== 0).length).toBe(22);
    const { size, weights, removed } = narrowed!.at(layers, 36);
    expect(size).toBe(0.5);
    const rows = weights.flatMap((data, i) => {
      const { cols } = layers[i]!;
      return Array.from({ length: data.length / cols }, (_, r) => data.subarray(r * cols, (r + 1) * cols));
    });
    expect(rows.filter(row => row.some(x => x !== 0)).length).toBe(7);
    expect(removed![0]!.size + removed![1]!.size).toBe(6);
  });

  it('ranks', () => {
    const left = factorized!.at(layers, 10);
    const parameters = left.weights.map((data, i) => {
      const { rows, cols } = layers[i]!;
      const rank = singularValues(matrix(data, rows, cols)).filter(s => s > 1e-5).length;
      return Math.min(rank * (rows + cols), rows * cols);
    });
    expect(left.size).toBeCloseTo((parameters[0]! + parameters[1]!) / 88, 12);
    expect(left.size).toBeLessThan(1);
  });

  it('values', () => {
    const ternary = quantized!.at(layers, 0);
    expect(ternary.size).toBeCloseTo(Math.log2(3), 12);
    ternary.weights.forEach((data, i) => {
      const { cols } = layers[i]!;
      for (let r = 0; r * cols < data.length; r++) {
        expect(distinct(data.slice(r * cols, (r + 1) * cols).map(Math.abs))).toBeLessThanOrEqual(2);
      }
    });
    const four = clustered!.at(layers, 2);
    expect(four.size).toBe(2);
    for (const data of four.weights) expect(distinct(data)).toBe(4);
  });
});

it('finds the redundancy that was put in: rank, neurons, few values', async () => {
  const planted = network();
  const random = new Random(1, 'planted');
  const [left, right] = [8, 6].map(size => Array.from({ length: size }, () => random.normal()));
  // Rank 1, and half of the second layer's neurons are gone.
  planted.setTensor(
    '0.weight',
    Tensor.float32(
      [8, 6],
      left!.flatMap(a => right!.map(b => a * b)),
    ),
  );
  planted.setTensor(
    '2.weight',
    Tensor.float32(
      [5, 8],
      Array.from({ length: 40 }, (_, i) => (i < 16 ? Math.sign(random.normal()) : 0)),
    ),
  );
  planted.setTensor('2.bias', Tensor.float32([5], [0, 0, 0, 0, 0]));
  const x = Tensor.float32(
    [7, 6],
    Array.from({ length: 42 }, () => random.normal()),
  );
  const outputs = async (of: Network) =>
    (await run(exportForInference(of), { input: x })).logits!.toFloat32();
  const before = await outputs(planted);
  let asked = 0;
  const found = await redundancy(planted, {
    holds: async copy => {
      asked++;
      const after = await outputs(copy);
      return Math.max(...before.map((value, i) => Math.abs(value - after[i]!))) < 1e-3;
    },
  });
  // 14 factors for the first; the second has rank 2: 26 of 40.
  expect(found.factorized).toBeCloseTo((14 + 26) / 88, 12);
  // 64 of 88 weights and 10 of 13 neurons, on a grid of 2^(1/4).
  expect(found.pruned).toBe(2 ** -0.25);
  expect(found.narrowed).toBe(2 ** -0.25);
  expect(asked).toBeLessThan(45);
  // Nothing was changed.
  expect(await outputs(planted)).toEqual(before);
});

it('of a network below the floor nothing is searched or said, whatever might pass by chance', async () => {
  let asked = 0;
  // As it is it does not hold, and every changed copy does.
  const holds = () => asked++ > 0;
  expect(await redundancy(network(), { holds })).toEqual({});
  expect(asked).toBe(1);
});

it('where nothing may be lost, shares are whole and codes are missing', async () => {
  const whole = network();
  const before = whole.tensor('0.weight').toFloat32();
  const equal = (copy: Network) =>
    copy
      .tensor('0.weight')
      .toFloat32()
      .every((x, i) => Math.abs(x - before[i]!) < 1e-6);
  const found = await redundancy(whole, { holds: equal });
  expect(found.pruned).toBe(1);
  expect(found.narrowed).toBeGreaterThan(2 ** -0.5);
  expect(found.factorized).toBeGreaterThan(0.5);
  // 127 steps do not give back every weight, nor do codebooks that local search found.
  expect(Object.keys(found)).toEqual(['pruned', 'narrowed', 'factorized']);
});

it('layers are read in either layout', () => {
  const gpt = gpt2({ vocabulary: 7, features: 12, depth: 1, heads: 2, maxTokens: 4, dropout: 0 });
  const layers = probedLayers(gpt, 'ffn');
  expect(layers.map(({ rows, cols }) => [rows, cols])).toEqual([
    [48, 12],
    [12, 48],
  ]);
  const same = withWeights(gpt, layers, { size: 1, weights: layers.map(({ weight }) => weight) });
  for (const { layer } of layers) {
    expect(same.tensor(layer.weight.name).toFloat32()).toEqual(gpt.tensor(layer.weight.name).toFloat32());
  }
});

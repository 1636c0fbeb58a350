import { describe, expect, it } from 'vitest';
import { searchRankReductions } from '../../src/compress/laser.js';
import { laser, laserCandidate, truncated } from '../../src/compress/methods/laser.js';
import { indexedSource } from '../../src/data/sample.js';
import { Tensor } from '../../src/graph/index.js';
import { matrix, singularValues } from '../../src/linalg/index.js';
import { Random } from '../../src/random/random.js';
import {
  layersOf,
  modelOf,
  numbers,
  outputs,
  proposals,
  relativeError,
  withWeights,
  write,
} from './forms/written.js';

const product = (rows = 20, cols = 32) =>
  modelOf([40, cols], (g, x, c) => g.op('MatMul', [x, c([cols, rows])]));

describe('truncated', () => {
  it('leaves the tail of the spectrum, group by group', async () => {
    const models = [
      { ...product(), groups: 1 },
      {
        ...modelOf([2, 16, 6, 6], (g, x, c) => g.op('Conv', [x, c([24, 8, 2, 2])], { group: 2 })),
        groups: 2,
      },
    ];
    for (const { model, groups } of models) {
      const [layer] = await layersOf(model, []);
      const { data, rows, cols } = layer!.matrix;
      const cut = truncated(layer!, 0.25);
      const size = (rows / groups) * cols;
      for (let g = 0; g < groups; g++) {
        const spectrum = singularValues(matrix(data.slice(g * size, (g + 1) * size), rows / groups, cols));
        const rank = Math.round(0.25 * spectrum.length);
        const tail = spectrum.slice(rank).reduce((sum, s) => sum + s * s, 0);
        let left = 0;
        for (let i = g * size; i < (g + 1) * size; i++) left += (data[i]! - cut[i]!) ** 2;
        expect(left / tail).toBeCloseTo(1, 4);
      }
    }
  });
});

describe('laser', () => {
  it('writes what it promises', async () => {
    const { model, samples } = product(48, 40);
    const found = await proposals(model, samples, [laser]);
    expect(found).toHaveLength(10);
    for (const { layer, candidate } of found.filter((_, i) => i % 3 === 0)) {
      const promised = withWeights(model, [[layer.site, candidate.weight()]]);
      const written = write(model, [[layer.site, candidate]]);
      expect(relativeError(await outputs(promised, samples), await outputs(written, samples))).toBeLessThan(
        1e-5,
      );
    }
  });

  it('keeps nearly everything at full rank', async () => {
    const { model } = product();
    const [layer] = await layersOf(model, []);
    const weight = laserCandidate(layer!, 1).weight();
    expect(relativeError([layer!.matrix.data], [weight])).toBeLessThan(0.01);
  });
});

describe('searchRankReductions', () => {
  /** y = x W, where W is of rank 2 but for noise that the score counts against it. */
  function noisy() {
    const random = new Random(4);
    const [left, right] = [numbers(random, 64), numbers(random, 64)];
    const clean = Float32Array.from({ length: 32 * 32 }, (_, i) => {
      const [r, c] = [Math.floor(i / 32), i % 32];
      return left[r]! * right[c]! + left[32 + r]! * right[32 + c]!;
    });
    const noise = numbers(random, 32 * 32);
    const { model, samples } = modelOf([20, 32], (g, x) => {
      const w = g.constant(
        Tensor.float32(
          [32, 32],
          clean.map((v, i) => v + 0.2 * noise[i]!),
        ),
        'noisy',
      );
      return g.op('MatMul', [x, w]);
    });
    const x = samples[0]!.x!.toFloat32();
    const y = Float32Array.from({ length: 20 * 32 }, (_, i) => {
      const [r, c] = [Math.floor(i / 32), i % 32];
      let sum = 0;
      for (let k = 0; k < 32; k++) sum += x[r * 32 + k]! * clean[k * 32 + c]!;
      return sum;
    });
    const evaluate = async ({
      run,
    }: {
      run(feeds: (typeof samples)[number]): Promise<Record<string, Tensor>>;
    }) => {
      const result = (await run(samples[0]!)).y!.toFloat32();
      return { error: { value: relativeError([y], [result]), betterIs: 'lower' as const } };
    };
    const inputs = indexedSource({ description: 'vectors' }, samples.length, async i => ({ ...samples[i]! }));
    return { model, evaluate, inputs };
  }

  it('finds the rank at which a layer is better than it was', async () => {
    const { model, evaluate, inputs } = noisy();
    const found = await searchRankReductions(model, { evaluate, inputs, shares: [1 / 32, 1 / 16, 0.5, 1] });
    expect(found.kept).toHaveLength(1);
    expect(found.kept[0]).toMatchObject({ weight: 'noisy', share: 1 / 16 });
    expect(found.kept[0]!.score).toBeLessThan(0.6 * found.score);
    expect(found.reductions.map(({ share }) => share)).toEqual([1 / 16, 0.5, 1, 1 / 32]);
  });

  it('refuses what it cannot judge', async () => {
    const { model, evaluate, inputs } = noisy();
    await expect(searchRankReductions(model, { inputs })).rejects.toThrow('needs an evaluation');
    await expect(searchRankReductions(model, { evaluate, inputs, shares: [0] })).rejects.toThrow(
      'cannot be 0',
    );
    await expect(searchRankReductions(model, { evaluate, inputs, score: 'bleu' })).rejects.toThrow(
      'no score "bleu"',
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockColumns, dyad, monarch, rankReduction } from '../../../src/methods/structured/index.js';
import { Random } from '../../../src/random/random.js';
import { approximation, checkStructure, type Example, factorsOf, replaced } from './check.js';
import {
  blockSparseExample,
  dyadExample,
  kroneckerExample,
  monarchExample,
  rankExample,
} from './examples.js';

const width = fc.integer({ min: 4, max: 26 });
const leading = fc.constantFrom([], [2], [2, 1]);
const seed = fc.integer({ min: 0, max: 1e6 });
const fraction = fc.double({ min: 0.35, max: 0.95, noNaN: true });
const shapeOf = (inFeatures: number, outFeatures: number) => ({ inFeatures, outFeatures });

/** Widths that a number of blocks divides. */
const divided = fc
  .record({
    blocks: fc.constantFrom(2, 3, 4),
    size: fc.integer({ min: 1, max: 6 }),
    outSize: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ blocks, size, outSize }) => ({ blocks, shape: shapeOf(blocks * size, blocks * outSize) }));

const EXAMPLES: readonly (readonly [string, fc.Arbitrary<Example>])[] = [
  ['rank reduction', fc.tuple(width, width, fraction).map(([n, m, f]) => rankExample(shapeOf(n, m), f))],
  [
    'stacked Kronecker products',
    fc
      .tuple(width, width, fraction, fc.constantFrom('factors' as const, 'weight' as const, 'auto' as const))
      .map(([n, m, f, form]) => kroneckerExample(shapeOf(n, m), { fraction: f, form })),
  ],
  [
    'DYAD',
    fc
      .tuple(divided, fc.constantFrom('it' as const, 'ot' as const, 'dt' as const), fc.boolean())
      .map(([{ blocks, shape }, variant, cat]) => dyadExample(shape, { blocks, variant, cat })),
  ],
  [
    'Monarch',
    fc
      .tuple(fc.integer({ min: 8, max: 26 }), fc.integer({ min: 8, max: 26 }), fc.integer({ min: 1, max: 3 }))
      .map(([n, m, blocks]) => monarchExample(shapeOf(n, m), { fraction: 0.8, blocks })),
  ],
  [
    'block-sparse',
    fc
      .tuple(
        divided,
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom('cyclic' as const, 'random' as const),
        seed,
      )
      .map(([{ blocks, shape }, kept, pattern, s]) =>
        blockSparseExample(shape, { blocks, fraction: Math.min(kept, blocks) / blocks, pattern, seed: s }),
      ),
  ],
];

const squares = fc
  .tuple(fc.constantFrom(4, 9, 16, 25), fc.constantFrom(4, 9, 16, 25), fraction)
  .map(([n, m, f]) => kroneckerExample(shapeOf(n, m), { fraction: f }));

describe.each(EXAMPLES)('%s', (name, examples) => {
  // The nearest sum of Kronecker products is known in closed form where nothing is cut off.
  const nearest = name.startsWith('stacked') ? squares : examples;

  it('computes what its explicit weight does, forward and backward, with the parameters and products it says', async () => {
    await fc.assert(
      fc.asyncProperty(examples, leading, seed, async (example, dims, s) => {
        await checkStructure(example, { seed: s, leading: dims });
      }),
      { numRuns: 12 },
    );
  });

  it('comes back from the weight it stands for', () => {
    fc.assert(
      fc.property(nearest, seed, (example, s) => {
        const network = replaced(example.structure, example.structure, { seed: s });
        const weight = example.dense(factorsOf(network, example.structure));
        const { error, total } = approximation(example, weight as Float64Array<ArrayBuffer>);
        expect(error).toBeLessThan(1e-9 * total);
      }),
      { numRuns: 12 },
    );
  });

  it('is as near to any weight as none of its neighbours', () => {
    fc.assert(
      fc.property(nearest, seed, ({ structure, dense }, s) => {
        const random = new Random(s, 'neighbours');
        const { inFeatures, outFeatures } = structure;
        const weight = Float64Array.from({ length: inFeatures * outFeatures }, () => random.normal());
        const { error } = approximation({ structure, dense }, weight);
        const factors = structure.fromDense({
          data: weight,
          rows: outFeatures,
          cols: inFeatures,
          stride: inFeatures,
        });
        const moved = factors.map(data => Float64Array.from(data, x => x + 1e-3 * random.normal()));
        const other = dense(moved).reduce((sum, value, i) => sum + (value - weight[i]!) ** 2, 0);
        expect(other).toBeGreaterThan(error * (1 - 1e-6));
      }),
      { numRuns: 12 },
    );
  });
});

describe('initial variance', () => {
  const shape = shapeOf(96, 64);
  it.each([
    ['rank reduction', rankExample(shape, 0.5)],
    ['stacked Kronecker products', kroneckerExample(shape, { fraction: 0.5 })],
    ['DYAD', dyadExample(shape, { blocks: 4 })],
    ['DYAD-OT', dyadExample(shape, { blocks: 4, variant: 'ot' })],
    ['Monarch', monarchExample(shape, { fraction: 0.5, blocks: 4 })],
    ['block-sparse', blockSparseExample(shape, { fraction: 0.5, blocks: 8 })],
  ] as const)('%s gives outputs of the dense variance', (_name, { structure, dense }) => {
    let energy = 0;
    for (const s of [1, 2, 3]) {
      const weight = dense(factorsOf(replaced(shape, structure, { seed: s }), structure));
      energy += weight.reduce((sum, x) => sum + x * x, 0) / (3 * weight.length);
    }
    // Uniform in ±1/√in, as the dense layer starts.
    const dense0 = 1 / (3 * 96);
    expect(energy / dense0).toBeGreaterThan(0.9);
    expect(energy / dense0).toBeLessThan(1.1);
  });
});

describe('parameters', () => {
  it('follow the sources', () => {
    // int(0.5 · 384 · 256 / 640) = 76.
    expect(rankReduction(shapeOf(384, 256), { fraction: 0.5 }).factors.map(f => f.dims)).toEqual([
      [384, 76],
      [76, 256],
    ]);
    // 20 × 16 factors; 0.5 · 384 · 256 / (2 · 320) = 76.8.
    expect(kroneckerExample(shapeOf(384, 256), { fraction: 0.5 }).structure.factors[0]!.dims).toEqual([
      320, 77,
    ]);
    // DYAD-8 of a layer four times as wide has the parameters of the dense one.
    const { factors } = dyad(shapeOf(512, 1024), { blocks: 8 });
    expect(factors.reduce((sum, { dims }) => sum + dims[0]! * dims[1]! * dims[2]!, 0)).toBe(512 * 256);
  });

  it('Monarch of one block is a low-rank product', () => {
    const shape = shapeOf(20, 12);
    const one = monarch(shape, { fraction: 0.5, blocks: 1 });
    expect(one.macs(7)).toBe(rankReduction(shape, { fraction: 0.5 }).macs(7));
  });

  it('takes Kronecker factors one after the other only where that is less work', () => {
    const few = kroneckerExample(shapeOf(256, 256), { fraction: 0.05 }).structure;
    expect(few.macs(1000)).toBeLessThan(256 * 256 * 1000);
    const many = kroneckerExample(shapeOf(256, 256), { fraction: 0.5 }).structure;
    expect(many.macs(1000)).toBe(256 * 256 * (many.factors[0]!.dims[1]! + 1000));
  });
});

describe('block patterns', () => {
  it('butterfly sees distances of powers of two, and its own block', () => {
    expect(blockColumns(8, 4)).toEqual([
      [0, 1, 2, 4],
      [0, 1, 3, 5],
      [0, 2, 3, 6],
      [1, 2, 3, 7],
      [0, 4, 5, 6],
      [1, 4, 5, 7],
      [2, 4, 6, 7],
      [3, 5, 6, 7],
    ]);
  });

  it('random ones keep the diagonal and as many blocks as they should, once each', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), seed, (blocks, k, s) => {
        const kept = Math.min(k, blocks);
        const rows = blockColumns(blocks, kept, { pattern: 'random', seed: s });
        rows.forEach((row, b) => {
          expect(new Set(row).size).toBe(kept);
          expect(row).toContain(b);
          expect(Math.max(...row)).toBeLessThan(blocks);
        });
      }),
    );
  });

  it('refuses what it has not', () => {
    expect(() => blockColumns(6, 2)).toThrow(/butterfly of 6 blocks.*cyclic/);
    expect(() => blockColumns(8, 5)).toThrow(/does not have 5/);
  });
});

describe('sizes that do not fit', () => {
  it.each([
    ['DYAD', () => dyad(shapeOf(10, 8), { blocks: 4 }), /4 blocks do not divide a 8 × 10 weight/],
    ['a fraction too small', () => rankReduction(shapeOf(4, 4), { fraction: 0.1 }), /larger fraction/],
    ['Monarch', () => monarch(shapeOf(8, 8), { fraction: 0.1, blocks: 4 }), /fewer blocks/],
    ['SKL', () => kroneckerExample(shapeOf(9, 9), { fraction: 0.001 }), /larger fraction/],
    ['blocks', () => blockSparseExample(shapeOf(9, 8), { blocks: 8, fraction: 0.5 }), /8 blocks a side/],
  ])('%s', (_name, build, message) => {
    expect(build).toThrow(message);
  });
});

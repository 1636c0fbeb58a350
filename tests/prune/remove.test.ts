import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType } from '../../src/graph/value.js';
import { findGroups } from '../../src/prune/groups.js';
import { removeChannels } from '../../src/prune/remove.js';
import { Random } from '../../src/random/random.js';
import { holdsLaw, isViable, selectionOf } from './law.js';
import { BLOCKS, Builder, convolutional, networkShape, transformer } from './networks.js';

const image = (seed: number): Tensor => {
  const random = new Random(seed);
  return Tensor.float32(
    [1, 3, 6, 6],
    Array.from({ length: 108 }, () => random.normal()),
  );
};

describe('removed channels', () => {
  it('equal masked ones in random convolutional networks', async () => {
    let cut = 0;
    await fc.assert(
      fc.asyncProperty(networkShape, async shape => {
        const model = convolutional(shape);
        const groups = findGroups(model);
        const exact = groups.groups.filter(group => !group.approximate);
        const selection = fc.sample(selectionOf(exact), { numRuns: 1, seed: shape.seed })[0]!;
        fc.pre(isViable(model, groups, selection));
        cut += [...selection.values()].filter(channels => [...channels].length > 0).length;
        await holdsLaw(model, groups, selection, { x: image(shape.seed) });
      }),
      { numRuns: 40 },
    );
    // The law says nothing of a network of which nothing is removed.
    expect(cut).toBeGreaterThan(60);
  });

  it.each(Object.keys(BLOCKS))(
    'equal masked ones behind a %s block, of which something can go',
    async name => {
      const b = new Builder(7);
      const x = b.graph.addInput('x', tensorType('float32', [1, 3, 6, 6]));
      const features = BLOCKS[name]!(b, { x: b.op('Relu', [b.conv(x, 3, 8)]), channels: 8 });
      const pooled = b.op('Flatten', [b.op('GlobalAveragePool', [features.x])]);
      const model = b.finish(b.op('Gemm', [pooled, b.weight([features.channels, 5])]));
      const groups = findGroups(model);
      const exact = groups.groups.filter(group => !group.approximate);
      expect(exact.length).toBeGreaterThan(0);
      for (const seed of [1, 2]) {
        for (const selection of fc.sample(selectionOf(exact), { numRuns: 2, seed })) {
          await holdsLaw(model, groups, selection, { x: image(seed) });
        }
      }
    },
  );

  it('equal masked ones in transformers: heads, places in heads, neurons', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ seed: fc.nat(1e6), packed: fc.boolean(), symbolic: fc.boolean(), gated: fc.boolean() }),
        async shape => {
          const model = transformer(shape);
          const groups = findGroups(model);
          const exact = groups.groups.filter(group => !group.approximate);
          expect(exact.map(group => group.size)).toEqual(expect.arrayContaining([3, 16]));
          const selection = fc.sample(selectionOf(exact), { numRuns: 1, seed: shape.seed })[0]!;
          await holdsLaw(model, groups, selection, { x: Tensor.int64([3, 1, 4, 1, 5], [1, 5]) });
        },
      ),
      { numRuns: 12 },
    );
  });

  it('makes the file smaller by what was cut', () => {
    const model = transformer({ seed: 1, packed: false, symbolic: false, gated: false });
    const groups = findGroups(model);
    const neurons = groups.groups.find(group => group.size === 16)!;
    const pruned = removeChannels(model, groups, new Map([[neurons, [0, 5, 6, 15]]]));
    const dims = [...pruned.graph.initializers].map(value => value.initializer!.dims.join('×'));
    expect(dims).toContain('12×12');
    expect(dims.filter(d => d.includes('16'))).toEqual([]);
  });

  it('refuses to remove all channels of a layer, and channels that are not there', () => {
    const model = transformer({ seed: 1, packed: true, symbolic: false, gated: false });
    const groups = findGroups(model);
    const heads = groups.groups.find(group => group.size === 3)!;
    expect(() => removeChannels(model, groups, new Map([[heads, [0, 1, 2]]]))).toThrow(/lose all of its 3/);
    expect(() => removeChannels(model, groups, new Map([[heads, [3]]]))).toThrow(/no channel 3/);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { findGroups, type Groups } from '../../src/prune/groups.js';
import { GateSensitivity, taylorCurve, taylorScores } from '../../src/prune/importance/taylor.js';
import type { Label } from '../../src/prune/labels.js';
import { gateChannels } from '../../src/prune/mask.js';
import { Random } from '../../src/random/random.js';
import { runSamples } from '../../src/runtime/index.js';
import { convolutional, networkShape } from './networks.js';

const OPEN = 0.01;

function image(seed: number) {
  const random = new Random(seed);
  return {
    x: Tensor.float32(
      [1, 3, 6, 6],
      Array.from({ length: 108 }, () => random.normal()),
    ),
  };
}

/** 2√p by an output's gate: the difference of two runs in which one channel is opened a little more or less. */
async function derivative(model: Model, groups: Groups, atom: Label, seed: number): Promise<number[]> {
  const roots = async (factor: number) => {
    const gated = gateChannels(model, groups, atoms => (atoms.includes(atom) ? factor : 1)).model;
    const [outputs] = await runSamples(gated, [image(seed)], 1);
    return Array.from(outputs!.y!.toFloat32(), p => 2 * Math.sqrt(p));
  };
  const [more, less] = [await roots(1 + OPEN), await roots(1 - OPEN)];
  return more.map((value, i) => (value - less[i]!) / (2 * OPEN));
}

describe('sensitivity to gates', () => {
  it('is what masking a channel a little does, whatever the network', async () => {
    await fc.assert(
      fc.asyncProperty(networkShape, fc.nat(1000), async (shape, seed) => {
        const model = convolutional(shape);
        const groups = findGroups(model);
        const random = new Random(seed);
        const weights = Array.from({ length: 5 }, () => random.normal());
        const sensitivity = await GateSensitivity.create(model, groups, 1);
        const found = await sensitivity.along(image(seed), { y: Tensor.float32([1, 5], weights) });
        await sensitivity.release();
        const largest = Math.max(...[...found.values()].map(Math.abs));
        for (const { atoms } of groups.groups.slice(0, 2)) {
          const atom = atoms[random.integer(atoms.length)]!;
          const differences = await derivative(model, groups, atom, seed);
          const expected = differences.reduce((sum, own, i) => sum + own * weights[i]!, 0);
          // Relu and pooling may bend within the step.
          expect(Math.abs((found.get(atom) ?? 0) - expected)).toBeLessThan(0.03 * largest + 1e-3);
        }
      }),
      { numRuns: 8 },
    );
  });
});

describe('importance by first-order sensitivity', () => {
  const model = convolutional({ seed: 3, blocks: ['residual', 'grouped'], pooled: true });
  const groups = findGroups(model);

  it('is the mean square of the outputs’ derivatives', async () => {
    const draws = 1500;
    const samples = Array.from({ length: draws }, (_, i) => image(i % 2));
    const scores = await taylorScores(model, groups, samples, { threads: 1 });
    for (const { atoms } of groups.groups) {
      const atom = atoms[1]!;
      const squares = await Promise.all(
        [0, 1].map(async seed => {
          const own = await derivative(model, groups, atom, seed);
          return own.reduce((sum, value) => sum + value ** 2, 0);
        }),
      );
      // A square of five random signs varies by its own size at most: 1/√1500 of it is left.
      expect(scores.get(atom)! / ((squares[0]! + squares[1]!) / 2)).toBeCloseTo(1, 0.7);
    }
  });

  it('lets channels go first that the outputs do not depend on', async () => {
    const group = groups.groups[0]!;
    const scores = new Map(group.atoms.map((atom, i) => [atom, i === 2 ? 0 : 1 + i]));
    const curve = taylorCurve(group, [1, 3], scores);
    expect(curve.order.slice(0, 3)).toEqual([2, 0, 1]);
    expect(curve.errors).toEqual([0, 3]);
  });
});

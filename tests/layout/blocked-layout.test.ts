import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cloneModel } from '../../src/graph/clone.js';
import { cifarResNet, exportForInference } from '../../src/nn/index.js';
import { blockedLayout, probeBlockedLayout } from '../../src/runtime/layout/index.js';
import { build, CLASSES, randomNetwork } from './networks.js';
import { randomFeeds, stepOf, worstDifference } from './step.js';

const block = (await probeBlockedLayout()) ?? 0;

/** Machines without the blocked operators have nothing to compare. */
describe.skipIf(block === 0)('the blocked layout of a training step', () => {
  it('gives what standard operators give, on random networks', async () => {
    await fc.assert(
      fc.asyncProperty(randomNetwork, fc.integer({ min: 1, max: 1000 }), async (network, seed) => {
        const model = stepOf(build(network), [network.batch, network.channels, ...network.size]);
        const { worst, output } = await worstDifference(model, randomFeeds(model, CLASSES, seed), block);
        expect(worst, output).toBeLessThan(5e-5);
      }),
      { numRuns: 25 },
    );
  });

  it.each(['pad', 'conv'] as const)(
    'gives what standard operators give, on a ResNet-20 (%s)',
    async shortcut => {
      const network = cifarResNet({ depth: 20, training: true, shortcut, imageSize: 8, width: 0.5 });
      const model = stepOf(network, [2, 3, 8, 8]);
      const { worst, output, rewritten } = await worstDifference(model, randomFeeds(model, 10), block);
      expect(worst, output).toBeLessThan(5e-5);
      expect(rewritten).toBeGreaterThan(0);
    },
  );

  it('leaves no convolution of a ResNet-20 in standard order, and reorders nothing on the way', () => {
    const model = stepOf(cifarResNet({ depth: 20, training: true, shortcut: 'conv' }), [16, 3, 32, 32]);
    blockedLayout(model, { block });
    const count = (domain: string, op: string): number =>
      [...model.graph.nodes].filter(n => n.domain === domain && n.opType === op).length;
    expect(count('', 'Conv') + count('', 'ConvTranspose') + count('', 'BatchNormalization')).toBe(0);
    expect(count('com.microsoft.nchwc', 'ReorderInput')).toBe(0);
    // Only the gradient by the images, which this step hands out.
    expect(count('com.microsoft.nchwc', 'ReorderOutput')).toBe(1);
  });

  it('keeps the names of inputs and outputs', () => {
    const model = stepOf(cifarResNet({ depth: 20, training: true }), [2, 3, 32, 32]);
    const names = (m: typeof model): string[][] =>
      [m.graph.inputs, m.graph.outputs].map(v => v.map(x => x.name));
    const before = names(model);
    blockedLayout(model, { block });
    expect(names(model)).toEqual(before);
  });
});

describe('models that the pass has nothing to do for', () => {
  const untouched = (model: ReturnType<typeof exportForInference>): void => {
    const nodes = [...model.graph.nodes];
    expect(blockedLayout(model, { block: 16 })).toBe(0);
    expect([...model.graph.nodes]).toEqual(nodes);
    expect(model.opsets.has('com.microsoft.nchwc')).toBe(false);
  };

  it('leaves inference graphs alone, which ONNX Runtime blocks by itself', () => {
    untouched(exportForInference(cifarResNet({ depth: 20 })));
  });

  it('leaves a step whose batch is not known alone', () => {
    const model = stepOf(cifarResNet({ depth: 20, training: true }), [2, 3, 32, 32]);
    const open = cloneModel(model);
    for (const value of [...open.graph.inputs]) {
      if (value.name === 'pixel_values')
        value.type = { kind: 'tensor', dtype: 'float32', shape: ['n', 3, 32, 32] };
    }
    // Values keep the types that they had, so this says nothing of them; the pass must not fail.
    expect(() => blockedLayout(open, { block: 16 })).not.toThrow();
  });
});

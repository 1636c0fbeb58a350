import { describe, expect, it } from 'vitest';
import { parseQuality } from '../../src/compress/budget.js';
import { compress } from '../../src/compress/compress.js';
import { joinFronts, prunedFront } from '../../src/compress/pareto.js';
import { isBetter } from '../../src/compress/pruned.js';
import type { CompressReport } from '../../src/compress/report.js';
import { modelByteLength } from '../../src/onnx/index.js';
import { smallInputs, smallModel } from './small-model.js';

const common = {
  inputs: smallInputs(),
  threads: 1,
  timing: false,
  samples: { calibration: 8, verification: 4 },
};

describe('pruning before compression', () => {
  it('leaves less than compression alone, measured against the original', async () => {
    const { report, model } = await compress(smallModel(), {
      ...common,
      prune: 0.7,
      method: 'quantize',
      error: 0.05,
    });
    const alone = await compress(smallModel(), { ...common, method: 'quantize', error: 0.05 });
    expect(report.pruned).toBe(0.7);
    expect(report.bytes.after).toBe(modelByteLength(model));
    expect(report.bytes.before).toBe(alone.report.bytes.before);
    expect(report.bytes.after).toBeLessThan(alone.report.bytes.after);
    expect(report.flops!.after / report.flops!.before).toBeLessThan(0.72);
    // Both errors count: the pruning's too.
    expect(report.verification.outputs[0]!.cosine).toBeLessThan(alone.report.verification.outputs[0]!.cosine);
    expect(model.graph.outputs[0]!.shape).toEqual(['n', 10]);
  });

  it('tries several shares, and takes the best for the budget', async () => {
    const options = { ...common, maxSize: '20%', method: 'quantize' } as const;
    const auto = await compress(smallModel(), { ...options, prune: 'auto' });
    const alone = await compress(smallModel(), options);
    const likeness = ({ report }: typeof alone) => report.verification.outputs[0]!.cosine;
    expect(likeness(auto)).toBeGreaterThanOrEqual(likeness(alone) - 1e-6);
    expect(auto.report.budget.every(({ held }) => held)).toBe(true);
  });

  it('of several results takes one that holds, then the smaller or the better one', () => {
    const result = (bytes: number, cosine: number, held: boolean) =>
      ({
        bytes: { before: 100, after: bytes },
        budget: [{ bound: 'b', limit: 0, measured: 0, held }],
        verification: { outputs: [{ cosine }] },
      }) as CompressReport;
    const [free, bound] = [{ maxLatency: undefined, quality: [] }, parseQuality('cosine=0.9')];
    const smallest = { ...free, quality: [bound] };
    const fast = { maxLatency: 0.7, quality: [bound] };
    expect(isBetter(result(50, 0.9, true), result(10, 0.99, false), smallest)).toBe(true);
    expect(isBetter(result(20, 0.99, true), result(10, 0.98, true), smallest)).toBe(false);
    expect(isBetter(result(20, 0.99, true), result(10, 0.98, true), free)).toBe(true);
    expect(isBetter(result(20, 0.99, true), result(10, 0.98, true), fast)).toBe(true);
  });

  it('joins fronts: points that a smaller file equals are left out, and each says what was pruned', () => {
    const point = (bytes: number, cosine: number) => ({
      bytes,
      cosine,
      outputs: [],
      scores: [],
      choices: [],
    });
    const whole = { points: [point(20, 0.9), point(40, 0.99)], methods: [] };
    const pruned = {
      points: [point(15, 0.8), point(35, 0.85)],
      methods: [{ method: 'quantize', points: [] }],
    };
    const joined = joinFronts([whole, prunedFront(pruned, 0.7)]);
    expect(joined.points.map(({ bytes, pruned: share }) => [bytes, share])).toEqual([
      [15, 0.7],
      [20, undefined],
      [40, undefined],
    ]);
    expect(joined.methods.map(({ method }) => method)).toEqual(['pruned to 70%, quantize']);
  });

  it('refuses a share that is none', async () => {
    await expect(compress(smallModel(), { ...common, prune: 1.5 })).rejects.toThrow(/between 0 and 1/);
  });
});

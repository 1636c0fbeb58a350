import { describe, expect, it } from 'vitest';
import { compress } from '../../src/compress/compress.js';
import { modelByteLength } from '../../src/onnx/index.js';
import { smallInputs, smallModel } from './small-model.js';

const common = { inputs: smallInputs(), threads: 1, timing: false };

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

  it('tries several shares, and takes none where the whole model does better', async () => {
    const budget = { ...common, maxSize: '20%', pareto: true } as const;
    const auto = await compress(smallModel(), { ...budget, prune: 'auto' });
    const alone = await compress(smallModel(), budget);
    const likeness = ({ report }: typeof alone) => report.verification.outputs[0]!.cosine;
    expect(likeness(auto)).toBeGreaterThanOrEqual(likeness(alone) - 1e-6);
    expect(auto.report.budget.every(({ held }) => held)).toBe(true);
    const methods = auto.report.pareto!.methods.map(({ method }) => method);
    expect(methods.some(method => method.startsWith('pruned to 70%'))).toBe(true);
    const bytes = auto.report.pareto!.points.map(point => point.bytes);
    expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
  });

  it('refuses a share that is none', async () => {
    await expect(compress(smallModel(), { ...common, prune: 1.5 })).rejects.toThrow(/between 0 and 1/);
  });
});

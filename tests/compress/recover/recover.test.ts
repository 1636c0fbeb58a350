import { describe, expect, it } from 'vitest';
import { compress } from '../../../src/compress/index.js';
import { modelByteLength } from '../../../src/onnx/index.js';
import { smallInputs, smallModel } from '../small-model.js';

const settings = { inputs: smallInputs(40), threads: 1, timing: false, maxSize: '12%' } as const;

const errorOf = ({ report }: Awaited<ReturnType<typeof compress>>) =>
  report.verification.outputs[0]!.relativeError;

describe('compress with recovery', () => {
  it('takes as many bytes, and is nearer to the original on inputs that took no part', async () => {
    const plain = await compress(smallModel(), settings);
    const layers = await compress(smallModel(), { ...settings, recover: true });
    const distilled = await compress(smallModel(), { ...settings, recover: 'distill' });
    for (const result of [layers, distilled]) {
      const { report } = result;
      expect(report.bytes.after).toBeLessThanOrEqual(plain.report.bytes.after + 8);
      expect(modelByteLength(result.model)).toBe(report.bytes.after);
      expect(report.budget.every(({ held }) => held)).toBe(true);
      expect(report.recovery!.afterLayers).toBeLessThanOrEqual(report.recovery!.before);
      expect(report.recovery!.after).toBeLessThanOrEqual(report.recovery!.afterLayers);
    }
    expect(plain.report.recovery).toBeUndefined();
    expect(layers.report.recovery).toMatchObject({ how: 'layers', epochs: 0, samples: 6 });
    expect(distilled.report.recovery!.epochs).toBeGreaterThan(0);
    expect(distilled.report.recovery!.after).toBeLessThan(0.9 * distilled.report.recovery!.before);
    expect(errorOf(distilled)).toBeLessThan(errorOf(plain));
  });

  it('leaves out what the forms do not allow, and says so', async () => {
    const { report } = await compress(smallModel(), {
      ...settings,
      maxSize: undefined,
      minQuality: 'cosine=0.9',
      goal: 'memory',
      recover: 'distill',
    });
    expect(report.warnings.join()).toMatch(/distillation was left out: .*gradient/);
  });

  it('tells of its progress and stops when it is told to', async () => {
    const controller = new AbortController();
    const phases = new Set<string>();
    const run = compress(smallModel(), {
      ...settings,
      recover: 'distill',
      signal: controller.signal,
      onProgress: ({ phase, done }) => {
        phases.add(phase);
        if (phase === 'distill' && done === 2) controller.abort(new Error('enough'));
      },
    });
    await expect(run).rejects.toThrow('enough');
    expect([...phases]).toContain('recover layers');
  });
});

import { describe, expect, it } from 'vitest';
import { compress } from '../../src/compress/index.js';
import { scan } from '../../src/compress/scan.js';
import { smallInputs, smallModel } from './small-model.js';

const settings = { inputs: smallInputs(), threads: 1 };

describe('scan', () => {
  it('over the error gives the files that compress gives', async () => {
    const { curves, bytes } = await scan(smallModel(), { ...settings, values: [0.05, 0.3] });
    expect(curves.map(({ method }) => method)).toEqual(['svd', 'svd+quantize', 'quantize']);
    for (const { method, points } of curves) {
      expect(points.map(({ value }) => value)).toEqual([0.05, 0.3]);
      expect(points[1]!.bytes).toBeLessThanOrEqual(points[0]!.bytes);
      expect(points[0]!.bytes).toBeLessThanOrEqual(bytes);
      const options = { ...settings, method: method as 'svd', error: 0.3, timing: false };
      const { report } = await compress(smallModel(), options);
      expect(points[1]!.bytes).toBe(report.bytes.after);
      expect(points[1]!.cosine).toBeCloseTo(report.verification.outputs[0]!.cosine, 6);
    }
  });

  it('over bits: more of them cost more and are closer', async () => {
    const { curves } = await scan(smallModel(), { ...settings, vary: 'bits', values: [3, 8], error: 0.3 });
    const { points } = curves.find(({ method }) => method === 'quantize')!;
    expect(points[1]!.bytes).toBeGreaterThan(points[0]!.bytes);
    expect(points[1]!.cosine).toBeGreaterThan(points[0]!.cosine);
    const svd = curves.find(({ method }) => method === 'svd')!;
    expect(svd.points).toHaveLength(1);
    expect(svd.points[0]!.value).toBeUndefined();
  });

  it('over the ratio: layers keep their share of bytes', async () => {
    const { curves, bytes } = await scan(smallModel(), {
      ...settings,
      vary: 'ratio',
      values: [0.3, 0.6],
      methods: ['quantize'],
    });
    const [small, large] = curves[0]!.points;
    expect(small!.bytes).toBeLessThan(large!.bytes);
    expect(large!.bytes).toBeLessThan(0.7 * bytes);
  });

  it.each([
    [{ values: [0] }, /error cannot be 0/],
    [{ values: [] }, /no value/],
    [{ vary: 'bits' as const, values: [4.5] }, /bits cannot be 4.5/],
    [{ vary: 'ratio' as const, values: [1] }, /ratio cannot be 1/],
  ])('refuses %j', async (options, message) => {
    await expect(scan(smallModel(), { ...settings, ...options })).rejects.toThrow(message);
  });
});

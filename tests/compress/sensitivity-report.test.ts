import { describe, expect, it } from 'vitest';
import { measureSensitivity } from '../../src/compress/sensitivity-report.js';
import { smallInputs, smallModel } from './small-model.js';

const settings = { inputs: smallInputs(), threads: 1 };

describe('measureSensitivity', () => {
  it('ranks layers by what they do to the outputs, and fewer bits do more', async () => {
    const four = await measureSensitivity(smallModel(), settings);
    const three = await measureSensitivity(smallModel(), { ...settings, bits: 3 });
    const errors = four.layers.map(({ outputError }) => outputError);
    expect(errors).toEqual(errors.toSorted((a, b) => b - a));
    expect(four.layers.map(({ position }) => position).sort()).toEqual([1, 2, 3, 4]);
    expect(four.layers.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    // No bound is judged here.
    expect(four.warnings.join()).not.toMatch(/decided/);
    for (const layer of four.layers) {
      expect(layer.choice).toMatch(/^int4/);
      expect(layer.bytesAfter).toBeLessThan(layer.bytesBefore);
      const same = three.layers.find(({ weight }) => weight === layer.weight)!;
      expect(same.error).toBeGreaterThan(layer.error);
    }
    expect(three.together!.outputs[0]!.relativeError).toBeGreaterThan(
      four.together!.outputs[0]!.relativeError,
    );
    // The last layer's error is the error of the output, up to the mean that its own error is measured against.
    const head = four.layers.find(({ weight }) => weight === 'head.weight')!;
    expect(head.outputError).toBeLessThan(1.5 * head.error);
  });

  it('takes another method within a share of the bytes', async () => {
    const { layers, level } = await measureSensitivity(smallModel(), {
      ...settings,
      method: 'lowrank',
      ratio: 0.3,
      include: ['hidden*'],
    });
    expect(level).toBe('lowrank within 30% of the bytes');
    expect(layers).toHaveLength(1);
    expect(layers[0]!.choice).toMatch(/lowrank.*rank/);
    expect(layers[0]!.bytesAfter).toBeLessThanOrEqual(0.3 * layers[0]!.bytesBefore);
  });

  it.each([
    [{ bits: 1 }, /cannot have 1 bits/],
    [{ ratio: 0 }, /ratio must lie/],
    [{ include: ['nothing'] }, /no layer has a name like "nothing"/],
  ])('refuses %j', async (options, message) => {
    await expect(measureSensitivity(smallModel(), { ...settings, ...options })).rejects.toThrow(message);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type InputSource, indexedSource, splitInputs } from '../../src/data/index.js';
import { Tensor } from '../../src/graph/index.js';

const numbered = (length: number) =>
  indexedSource({ description: 'numbers' }, length, i => ({ x: Tensor.scalar(i) }));

const streamed = (length: number): InputSource => {
  const { description, samples } = numbered(length);
  return { description, samples };
};

async function contents(source: InputSource): Promise<number[]> {
  const found: number[] = [];
  for await (const sample of source.samples()) found.push(sample.x!.toNumbers()[0]!);
  return found;
}

describe('splitInputs', () => {
  it('never puts a sample into both parts, and uses all that the limits allow', async () => {
    const limits = fc.record({
      calibration: fc.integer({ min: 1, max: 40 }),
      heldOut: fc.integer({ min: 1, max: 40 }),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 60 }), limits, fc.boolean(), async (n, options, stream) => {
        const source = stream ? streamed(n) : numbered(n);
        const { calibration, heldOut } = await splitInputs(source, options);
        const [a, b] = [await contents(calibration), await contents(heldOut)];
        expect(new Set([...a, ...b]).size).toBe(a.length + b.length);
        expect([a.length, b.length]).toEqual([calibration.length, heldOut.length]);
        expect(b.length).toBe(Math.max(1, Math.min(options.heldOut, n - 1, Math.round(n / 3))));
        expect(a.length).toBe(Math.min(options.calibration, n - b.length));
      }),
    );
  });

  it('splits alike for a stream and for one with an index, and for the same seed', async () => {
    const parts = async (source: InputSource, seed: number) =>
      contents((await splitInputs(source, { seed })).heldOut);
    expect(await parts(numbered(30), 1)).toEqual(await parts(streamed(30), 1));
    expect(await parts(numbered(30), 1)).not.toEqual(await parts(numbered(30), 2));
  });

  it('needs two samples', async () => {
    await expect(splitInputs(numbered(1))).rejects.toThrow(/only one input/);
    await expect(splitInputs(streamed(0))).rejects.toThrow(/no inputs/);
  });
});

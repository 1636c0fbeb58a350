import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compress, paretoFront } from '../../src/compress/index.js';
import { kneeOf, spreadPlans } from '../../src/compress/pareto.js';
import type { Plan } from '../../src/compress/search/plan.js';
import { encodeToBytes, modelByteLength } from '../../src/onnx/index.js';
import { smallInputs, smallModel } from './small-model.js';

const settings = { inputs: smallInputs(), threads: 1, timing: false };

const plan = (price: number, distortion: number): Plan => ({ choice: new Map(), price, distortion });

describe('spreadPlans', () => {
  it('takes some plans of a front, each once, cheapest first, none that is ruined or the original', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.double({ min: 1e-9, max: 10, noNaN: true }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 2, max: 12 }),
        (distortions, count) => {
          const falling = distortions.sort((a, b) => b - a);
          const front = [...falling.map((d, i) => plan(100 + 10 * i, d)), plan(1000, 0)];
          const chosen = spreadPlans(front, count, 50);
          expect(chosen.length).toBeGreaterThan(0);
          expect(chosen.length).toBeLessThanOrEqual(Math.max(count, 1));
          expect(chosen.map(p => p.price)).toEqual(
            [...new Set(chosen.map(p => p.price))].sort((a, b) => a - b),
          );
          for (const { distortion } of chosen) expect(distortion).toBeGreaterThan(0);
          if (falling.some(d => d <= 1)) for (const p of chosen) expect(p.distortion).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});

describe('kneeOf', () => {
  it('finds the corner', () => {
    const points = [
      [10, 0.2],
      [20, 0.9],
      [30, 0.95],
      [60, 0.99],
    ].map(([bytes, cosine]) => ({ bytes: bytes!, cosine: cosine! }));
    expect(kneeOf(points, 100)).toBe(points[1]);
    expect(kneeOf(points.slice(3), 100)).toBe(points[3]);
  });
});

describe('paretoFront', () => {
  it('gives files that no smaller one of them equals, as they would be written', async () => {
    const model = smallModel();
    const { points, knee, report } = await paretoFront(model, settings);
    expect(points.length).toBeGreaterThan(3);
    for (const [i, point] of points.entries()) {
      expect(encodeToBytes(point.model()).length).toBe(point.bytes);
      expect(point.bytes).toBeLessThan(modelByteLength(model));
      if (i > 0) {
        expect(point.bytes).toBeGreaterThan(points[i - 1]!.bytes);
        expect(point.cosine).toBeGreaterThan(points[i - 1]!.cosine);
      }
    }
    expect(points).toContain(knee);
    expect(report.methods.map(({ method }) => method).sort()).toEqual(['lowrank', 'quantize']);
    // No method alone beats the front.
    for (const { bytes, cosine } of report.methods.flatMap(curve => curve.points)) {
      expect(points.some(point => point.bytes <= bytes && point.cosine >= cosine)).toBe(true);
    }
  });

  it('comes with a compression that takes its knee, or what the budget says', async () => {
    const free = await compress(smallModel(), { ...settings, pareto: true });
    const knee = kneeOf(free.report.pareto!.points, free.report.bytes.before);
    expect(free.report.bytes.after).toBe(knee.bytes);
    const bound = await compress(smallModel(), { ...settings, pareto: true, maxSize: '40%' });
    expect(bound.report.bytes.after).toBeLessThanOrEqual(0.4 * bound.report.bytes.before);
    expect(bound.report.budget).toMatchObject([{ bound: 'size ≤ 40%', held: true }]);
    expect(bound.report.pareto!.points.length).toBeGreaterThan(3);
  });
});

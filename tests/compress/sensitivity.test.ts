import { describe, expect, it } from 'vitest';
import { findSites, type Site } from '../../src/calibrate/sites.js';
import type { EndToEnd } from '../../src/compress/end-to-end.js';
import type { Scored } from '../../src/compress/score.js';
import { probeSensitivity } from '../../src/compress/sensitivity.js';
import { oneLayer } from './one-layer.js';

const site = findSites(oneLayer('MatMul x · W').model)[0]!;

/** Candidates of certain errors; the weight of each is its error, so that a fake model can tell them apart. */
const candidates = (errors: readonly number[]): Scored[] =>
  errors.map(error => ({
    candidate: {
      method: 'test',
      label: `error ${error}`,
      weight: () => Float32Array.of(error),
      apply: () => {},
    },
    bytes: 1,
    error,
  }));

/** A model whose outputs answer to a layer's error by a law. */
const modelOf = (law: (error: number) => number, reaches = true) =>
  ({
    reaches: () => reaches,
    measure: async (replacements: ReadonlyMap<Site, Float32Array>) => law(replacements.get(site)![0]!),
  }) as unknown as EndToEnd;

describe('probeSensitivity', () => {
  const errors = [0.003, 0.01, 0.024, 0.05, 0.085, 0.2, 0.6];

  it('finds a power law again from two probes, and the square beyond them', async () => {
    const law = (error: number) => 3 * error ** 1.7;
    const { points, predict } = await probeSensitivity(site, candidates(errors), modelOf(law), 2);
    expect(points.map(({ error }) => error)).toEqual([0.024, 0.085]);
    for (const error of [0.024, 0.03, 0.05, 0.085]) expect(predict(error) / law(error)).toBeCloseTo(1, 2);
    expect(predict(0.0024) / law(0.024)).toBeCloseTo(0.01, 4);
    expect(predict(0.85) / law(0.085)).toBeCloseTo(100, 1);
    expect(predict(0)).toBe(0);
    expect(predict(Infinity)).toBe(Infinity);
  });

  it('never predicts that a larger error does less', async () => {
    // The larger error measured smaller, by chance.
    const { predict } = await probeSensitivity(
      site,
      candidates(errors),
      modelOf(error => (error > 0.05 ? 1e-4 : 5e-4)),
      2,
    );
    let last = 0;
    for (let error = 0.001; error < 1; error *= 1.1) {
      expect(predict(error)).toBeGreaterThan(last);
      last = predict(error);
    }
  });

  it('lets a layer that cannot be probed count one to one', async () => {
    const { points, predict } = await probeSensitivity(
      site,
      candidates(errors),
      modelOf(() => 1, false),
      2,
    );
    expect(points).toEqual([]);
    expect(predict(0.1)).toBeCloseTo(0.01, 10);
  });
});

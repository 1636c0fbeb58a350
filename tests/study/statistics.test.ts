import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockedTest,
  holm,
  mean,
  pairedTest,
  standardError,
  welchTest,
} from '../../src/study/statistics/compare.js';
import { incompleteBeta, logGamma, twoSidedP } from '../../src/study/statistics/student-t.js';

interface Test {
  t: number;
  df: number;
  p: number;
}

const golden = JSON.parse(readFileSync(new URL('golden/statistics.json', import.meta.url), 'utf8')) as {
  p: Test[];
  beta: { x: number; a: number; b: number; value: number }[];
  gamma: { x: number; value: number }[];
  tests: { a: number[]; b: number[]; standardError: number; welch: Test; paired?: Test }[];
  blocks: (Test & { table: number[][] })[];
};

const near = (value: number, expected: number, tolerance = 1e-10) =>
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(tolerance * Math.max(Math.abs(expected), 1e-14));

describe('Student’s t', () => {
  it.each(golden.p)('p of t = $t with $df degrees of freedom is SciPy’s', ({ t, df, p }) =>
    near(twoSidedP(t, df), p),
  );
  it.each(golden.beta)('I_$x($a, $b) is SciPy’s', ({ x, a, b, value }) =>
    near(incompleteBeta(x, a, b), value),
  );
  it.each(golden.gamma)('ln Γ($x) is SciPy’s', ({ x, value }) =>
    expect(logGamma(x)).toBeCloseTo(value, value > 1e3 ? 8 : 12),
  );

  it('has the closed forms of one and two degrees of freedom', () => {
    fc.assert(
      fc.property(fc.double({ min: -50, max: 50, noNaN: true }), t => {
        expect(twoSidedP(t, 1)).toBeCloseTo(1 - (2 / Math.PI) * Math.atan(Math.abs(t)), 10);
        expect(twoSidedP(t, 2)).toBeCloseTo(1 - Math.abs(t) / Math.sqrt(2 + t * t), 10);
      }),
    );
  });

  it('says 0 of an infinite t, nothing of none', () => {
    expect(twoSidedP(Number.POSITIVE_INFINITY, 2)).toBe(0);
    expect(twoSidedP(Number.NaN, 2)).toBeNaN();
    expect(twoSidedP(1, 0)).toBeNaN();
  });
});

describe('comparisons', () => {
  it.each(golden.tests)('of $a and $b are SciPy’s', ({ a, b, standardError: error, welch, paired }) => {
    near(standardError(a), error);
    const independent = welchTest(a, b)!;
    near(independent.t, welch.t, 1e-9);
    near(independent.degreesOfFreedom, welch.df, 1e-9);
    near(independent.p, welch.p, 1e-9);
    if (!paired) return expect(pairedTest(a, b)).toBeUndefined();
    const within = pairedTest(a, b)!;
    near(within.t, paired.t, 1e-9);
    expect(within.degreesOfFreedom).toBe(paired.df);
    near(within.p, paired.p, 1e-9);
    near(within.difference, mean(a) - mean(b), 1e-9);
  });

  it.each(golden.blocks)('in blocks are those of least squares: $table', ({ table, t, df, p }) => {
    const [a, b, ...rest] = table;
    const found = blockedTest(a!, b!, rest)!;
    near(found.t, t, 1e-8);
    expect(found.degreesOfFreedom).toBe(df);
    near(found.p, p, 1e-8);
  });

  it('in blocks of two arms are paired, and do not see what all arms share in a seed', () => {
    const row = fc.array(fc.integer({ min: -99, max: 99 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(row, row, row, row, (a, b, c, shared) => {
        const two = blockedTest(a, b, [])!;
        const paired = pairedTest(a, b)!;
        expect(two.standardError).toBeCloseTo(paired.standardError, 8);
        expect(two.degreesOfFreedom).toBe(paired.degreesOfFreedom);
        const [plain, moved] = [[a, b, c], [a, b, c].map(values => values.map((v, i) => v + shared[i]!))].map(
          ([first, second, third]) => blockedTest(first!, second!, [third!])!,
        );
        expect(moved!.standardError).toBeCloseTo(plain!.standardError, 8);
        expect(moved!.difference).toBeCloseTo(plain!.difference, 8);
      }),
    );
    expect(blockedTest([1], [2], [])).toBeUndefined();
    expect(blockedTest([1, 2], [2, 3], [[1]])).toBeUndefined();
  });

  it('need two values, and know what no spread means', () => {
    expect(pairedTest([1], [2])).toBeUndefined();
    expect(welchTest([1, 2], [2])).toBeUndefined();
    expect(pairedTest([1, 2], [1, 2])).toMatchObject({ difference: 0, p: 1 });
    expect(welchTest([1, 1], [1, 1])).toMatchObject({ difference: 0, p: 1 });
    expect(pairedTest([2, 3], [1, 2])).toMatchObject({ difference: 1, standardError: 0, p: 0 });
    expect(welchTest([2, 2], [1, 1])).toMatchObject({ difference: 1, p: 0 });
  });
});

describe('Holm’s correction', () => {
  it('is that of a worked example', () => {
    // Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, and never falling.
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
    expect(holm([])).toEqual([]);
  });

  it('keeps the order, lies above the plain value and below Bonferroni’s', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }), p => {
        const corrected = holm(p);
        p.forEach((value, i) => {
          expect(corrected[i]).toBeGreaterThanOrEqual(value);
          expect(corrected[i]).toBeLessThanOrEqual(Math.min(1, value * p.length) + 1e-15);
          p.forEach((other, j) => {
            if (value < other) expect(corrected[i]!).toBeLessThanOrEqual(corrected[j]!);
          });
        });
      }),
    );
  });
});

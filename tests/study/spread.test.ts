import { describe, expect, it } from 'vitest';
import { Random } from '../../src/random/random.js';
import { type ComparedArm, compareArms } from '../../src/study/compare-arms.js';
import { blockVariance, deviation, mean, separateTest } from '../../src/study/statistics/compare.js';
import { cochranP, spreadsOf } from '../../src/study/statistics/spread.js';
import { upperF } from '../../src/study/statistics/student-t.js';

describe('the F distribution', () => {
  // Critical values as in printed tables, to their digits.
  it.each([
    [18.513, 1, 2, 0.05],
    [3.739, 2, 14, 0.05],
    [4.256, 2, 9, 0.05],
    [2.575, 3, 29, 0.073],
    [2.726, 2, 14, 0.1],
  ])('exceeds %f with %i and %i degrees of freedom at %f', (f, above, below, p) => {
    expect(upperF(f, above, below)).toBeCloseTo(p, 3);
  });

  it('knows what no spread means', () => {
    expect(upperF(0, 2, 4)).toBe(1);
    expect(upperF(Number.POSITIVE_INFINITY, 2, 4)).toBe(0);
    expect(upperF(Number.NaN, 2, 4)).toBeNaN();
  });
});

describe('Cochran’s test', () => {
  // Critical shares at 5%: arms, degrees of freedom of each, share.
  it.each([
    [5, 1, 0.8412],
    [3, 2, 0.8709],
    [5, 2, 0.6838],
    [10, 2, 0.445],
    [5, 4, 0.5441],
  ])('of %i variances with %i degrees of freedom has the table’s critical share', (count, df, share) => {
    const rest = (1 - share) / (count - 1);
    expect(cochranP([share, ...Array<number>(count - 1).fill(rest)], df)).toBeCloseTo(0.05, 3);
  });

  it('finds nothing where nothing spreads', () => {
    expect(cochranP([0, 0, 0], 2)).toBe(1);
    expect(cochranP([1], 2)).toBe(1);
    expect(cochranP([0, 0, 1], 2)).toBe(0);
  });
});

/** Three values of this deviation about 0. */
const row = (sd: number): number[] => [-sd, 0, sd];

describe('arms of like spread', () => {
  it('are all where spreads are', () => {
    const { alike, own } = spreadsOf([1, 1.2, 0.8, 1].map(row));
    expect(alike).toEqual([0, 1, 2, 3]);
    expect(own.size).toBe(0);
  });

  it('leave out those that fall apart, however many, until two are left', () => {
    const { alike, own } = spreadsOf([1, 100, 1, 1, 30, 1].map(row));
    expect(alike).toEqual([0, 2, 3, 5]);
    expect([...own]).toEqual([1, 4]);
    expect(spreadsOf([1, 10_000, 100].map(row))).toEqual({ alike: [0, 2], own: new Set([1]) });
  });

  it('keep an arm that is larger but no outlier, which counts with its own spread', () => {
    const { alike, own } = spreadsOf([1, 2.2, 1, 1, 1, 1].map(row));
    expect(alike).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...own]).toEqual([1]);
    expect(spreadsOf([1, 0.01, 1, 1].map(row)).own.size).toBe(0);
  });

  it('are compared with what they share, others by Welch’s test with their own', () => {
    const values = { a: [50, 51, 49], b: [53, 55.5, 54], c: [50.1, 49, 50], d: [20, 50, 35] };
    const [, b, c, d] = compared(Object.values(values));
    expect(b).toMatchObject({ test: 'blocked', degreesOfFreedom: 4 });
    expect(c).toMatchObject({ test: 'blocked' });
    expect(b!.corrected).toBeLessThan(0.05);
    expect(d).toMatchObject({ test: 'separate', difference: -15 });
    // Means and variances by hand: 50 and 1 shared by a, b and c in blocks; 35 and 225.
    const pooled = blockVariance([values.a, values.b, values.c]);
    expect(pooled.degreesOfFreedom).toBe(4);
    expect(d!.standardError).toBeCloseTo(Math.sqrt((225 + pooled.variance) / 3), 10);
    expect(d!.degreesOfFreedom).toBeGreaterThan(2);
    expect(d!.degreesOfFreedom).toBeLessThan(2.1);
    expect(compared(Object.values(values), 'blocked')[1]!.corrected).toBeGreaterThan(0.5);
  });

  it('without others is Welch’s test', () => {
    const [a, b] = [
      [1, 2, 4],
      [3, 9, 5],
    ];
    const own = (values: number[]) => ({ variance: deviation(values) ** 2, degreesOfFreedom: 2 });
    expect(separateTest(a, b)).toEqual(separateTest(a, b, own(a), own(b)));
    expect(separateTest([1], [2])).toBeUndefined();
  });
});

/** Arms against the first, whose values begin the rows. */
const compared = (rows: readonly (readonly number[])[], test?: 'blocked') =>
  compareArms(
    rows.map(
      (values, i): ComparedArm => ({
        name: `${i}`,
        ...(i > 0 && { against: '0' }),
        values: new Map(values.map((value, seed) => [seed, value])),
      }),
    ),
    test,
  );

/**
 * How often arms with these deviations, three seeds each, are told from the first at 5%: of each arm, and of any after
 * Holm's correction. `shift` moves the second arm.
 */
function simulate(
  deviations: readonly number[],
  { shift = 0, test }: { shift?: number; test?: 'blocked' } = {},
) {
  const random = new Random(7, 'spreads');
  const times = 1500;
  const told = Array<number>(deviations.length - 1).fill(0);
  let any = 0;
  for (let i = 0; i < times; i++) {
    const rows = deviations.map((sd, arm) =>
      Array.from({ length: 3 }, () => (arm === 1 ? shift : 0) + sd * random.normal()),
    );
    const comparisons = compared(rows, test).slice(1);
    comparisons.forEach((comparison, arm) => {
      told[arm]! += Number(comparison!.p < 0.05) / times;
    });
    any += Number(comparisons.some(comparison => comparison!.corrected < 0.05)) / times;
  }
  return { told, most: Math.max(...told), any };
}

describe('over many made-up studies of three seeds', () => {
  const EQUAL = Array<number>(8).fill(1);

  it('about 5% of equal arms of equal spread are told apart', () => {
    const { told, any } = simulate(EQUAL);
    expect(mean(told)).toBeGreaterThan(0.03);
    expect(mean(told)).toBeLessThan(0.055);
    expect(any).toBeLessThan(0.055);
  });

  it.each<[string, number[]]>([
    ['one that falls apart', [1, 1, 1, 1, 1, 1, 1, 10]],
    ['two that fall apart', [1, 1, 1, 1, 1, 1, 10, 10]],
    ['one of three times the spread', [1, 1, 1, 1, 1, 1, 1, 3]],
    ['every second of three times the spread', [1, 3, 1, 3, 1, 3, 1, 3]],
    ['a reference of five times the spread', [5, 1, 1, 1, 1, 1, 1, 1]],
  ])('and hardly more of %s, where one spread for all is wrong', (_, deviations) => {
    const { told, most, any } = simulate(deviations);
    expect(mean(told)).toBeLessThan(0.095);
    expect(most).toBeLessThan(0.11);
    expect(any).toBeLessThan(0.1);
  });

  it('one spread for all tells too much where the reference has another', () => {
    expect(simulate([5, 1, 1, 1, 1, 1, 1, 1], { test: 'blocked' }).most).toBeGreaterThan(0.25);
  });

  it('one spread for all tells too much of an arm that falls apart, and too little of the others', () => {
    const deviations = [1, 1, 1, 1, 1, 1, 1, 10];
    expect(simulate(deviations, { test: 'blocked' }).told[6]).toBeGreaterThan(0.25);
    const [before, now] = (['blocked', undefined] as const).map(
      test => simulate(deviations, { shift: 4.5, ...(test && { test }) }).told[0]!,
    );
    expect(before).toBeLessThan(0.5);
    expect(now).toBeGreaterThan(0.95);
  });

  it('under equal spreads differences are told nearly as often as with one spread for all', () => {
    for (const shift of [2, 4.5]) {
      const now = simulate(EQUAL, { shift });
      const before = simulate(EQUAL, { shift, test: 'blocked' });
      expect(now.told[0]! / before.told[0]!).toBeGreaterThan(0.9);
      expect(now.any / before.any).toBeGreaterThan(0.88);
    }
  });
});

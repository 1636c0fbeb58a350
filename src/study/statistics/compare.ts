import { twoSidedP } from './student-t.js';

/** Arithmetic mean; not a number for none. */
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Standard deviation of a sample, n − 1 in the denominator; not a number for fewer than two values. */
export function deviation(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

/** Standard error of the mean. */
export const standardError = (values: readonly number[]): number =>
  deviation(values) / Math.sqrt(values.length);

/** The difference of two means and what chance would make of it. */
export interface Comparison {
  readonly test: 'blocked' | 'separate' | 'paired' | 'welch';
  readonly difference: number;
  /** Of the difference. */
  readonly standardError: number;
  readonly t: number;
  readonly degreesOfFreedom: number;
  /** Two-sided: how often chance alone makes so large a difference. */
  readonly p: number;
}

/** Student's t-test on the differences of values that belong together. `undefined` for fewer than two pairs. */
export function pairedTest(a: readonly number[], b: readonly number[]): Comparison | undefined {
  if (a.length !== b.length || a.length < 2) return undefined;
  const differences = a.map((value, i) => value - b[i]!);
  return tested('paired', mean(differences), standardError(differences), a.length - 1);
}

/**
 * Student's t-test on two arms of an experiment in which every arm ran with every seed (randomized blocks): what chance
 * does is estimated from all arms, as what neither an arm nor a seed explains, with (arms − 1)(seeds − 1) degrees of
 * freedom. It takes the spread to be the same in all arms. Without `rest` it is the paired test. `undefined` for fewer
 * than two seeds, or rows of unequal length.
 * Fisher, "The Design of Experiments", 1935; Montgomery, "Design and Analysis of Experiments", chapter 4.
 */
export function blockedTest(
  a: readonly number[],
  b: readonly number[],
  rest: readonly (readonly number[])[],
): Comparison | undefined {
  const rows = [a, b, ...rest];
  const seeds = a.length;
  if (seeds < 2 || rows.some(row => row.length !== seeds)) return undefined;
  const { variance, degreesOfFreedom } = blockVariance(rows);
  return tested('blocked', mean(a) - mean(b), Math.sqrt((2 * variance) / seeds), degreesOfFreedom);
}

interface Variance {
  readonly variance: number;
  readonly degreesOfFreedom: number;
}

/** What neither row nor column explains in a table of equally long rows. */
export function blockVariance(rows: readonly (readonly number[])[]): Variance {
  const columns = rows[0]!.length;
  const ofRow = rows.map(mean);
  const ofColumn = rows[0]!.map((_, column) => mean(rows.map(row => row[column]!)));
  const whole = mean(ofRow);
  let squares = 0;
  rows.forEach((row, i) => {
    row.forEach((value, column) => {
      squares += (value - ofRow[i]! - ofColumn[column]! + whole) ** 2;
    });
  });
  const degreesOfFreedom = (rows.length - 1) * (columns - 1);
  return { variance: squares / degreesOfFreedom, degreesOfFreedom };
}

/**
 * Welch's t-test with variances that may come from elsewhere: an arm of a spread of its own against one whose spread is
 * known from others, too. `undefined` for fewer than two values.
 */
export function separateTest(
  a: readonly number[],
  b: readonly number[],
  ofA: Variance = ownVariance(a),
  ofB: Variance = ownVariance(b),
): Comparison | undefined {
  if (a.length < 2 || b.length < 2) return undefined;
  const [va, vb] = [ofA.variance / a.length, ofB.variance / b.length];
  const df = (va + vb) ** 2 / (va ** 2 / ofA.degreesOfFreedom + vb ** 2 / ofB.degreesOfFreedom);
  return tested(
    'separate',
    mean(a) - mean(b),
    Math.sqrt(va + vb),
    va + vb > 0 ? df : ofA.degreesOfFreedom + ofB.degreesOfFreedom,
  );
}

const ownVariance = (values: readonly number[]): Variance => ({
  variance: deviation(values) ** 2,
  degreesOfFreedom: values.length - 1,
});

/**
 * Welch's t-test on independent samples, whose variances may differ. `undefined` for a sample of fewer than two.
 * Welch, "The generalization of 'Student's' problem when several different population variances are involved", 1947.
 */
export function welchTest(a: readonly number[], b: readonly number[]): Comparison | undefined {
  const comparison = separateTest(a, b);
  return comparison && { ...comparison, test: 'welch' };
}

function tested(
  test: Comparison['test'],
  difference: number,
  error: number,
  degreesOfFreedom: number,
): Comparison {
  // Without any spread a difference is certain, and none is none.
  const t = difference === 0 ? 0 : difference / error;
  return { test, difference, standardError: error, t, degreesOfFreedom, p: twoSidedP(t, degreesOfFreedom) };
}

/**
 * p-values corrected for the number of comparisons, in the order given: with them, the chance that any difference is
 * called significant where there is none stays below the level.
 * Holm, "A simple sequentially rejective multiple test procedure", 1979.
 */
export function holm(p: readonly number[]): number[] {
  const order = p.map((_, i) => i).sort((i, j) => p[i]! - p[j]!);
  const adjusted = new Array<number>(p.length);
  let largest = 0;
  order.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, p[index]! * (p.length - rank)));
    adjusted[index] = largest;
  });
  return adjusted;
}

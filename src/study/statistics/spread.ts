import { deviation, mean } from './compare.js';
import { upperF } from './student-t.js';

const LEVEL = 0.05;

/** Which arms of a group may lend each other their spread. */
export interface Spreads {
  /** Places of the arms whose spread is alike; two at least. */
  readonly alike: readonly number[];
  /** Places of the arms that count with their own spread, as it is larger than that of the others. */
  readonly own: ReadonlySet<number>;
}

/**
 * The chance that the largest of `variances` has so large a share of their sum where all are of one normal spread: from
 * above, and exact where it is small. Each has `df` degrees of freedom.
 * Cochran, "The distribution of the largest of a set of estimated variances as a fraction of their total", 1941.
 */
export function cochranP(variances: readonly number[], df: number): number {
  const others = variances.length - 1;
  const largest = Math.max(...variances);
  const sum = variances.reduce((total, value) => total + value, 0);
  if (!(sum > 0) || others < 1) return 1;
  const ratio = (others * largest) / (sum - largest);
  return Math.min(1, variances.length * upperF(ratio, df, others * df));
}

/**
 * Tells arms of like spread from others, by two rules at 5%. An arm whose variance is an outlier by Cochran's test is left
 * out, the largest first, until none is (as ISO 5725-2 treats laboratories): one that falls apart then hides no difference
 * between others. That test must find one arm among many and lets others pass, so that besides an arm counts with its own
 * spread where that is larger than the rest's by an F-test; it still widens theirs. A smaller spread stays pooled, which
 * errs towards no difference.
 * @param rows an arm each, with equally many values
 */
export function spreadsOf(rows: readonly (readonly number[])[]): Spreads {
  const df = rows[0]!.length - 1;
  const variances = rows.map(row => deviation(row) ** 2);
  let alike = rows.map((_, i) => i);
  while (alike.length > 2) {
    const among = alike.map(i => variances[i]!);
    if (cochranP(among, df) >= LEVEL) break;
    const largest = alike[among.indexOf(Math.max(...among))]!;
    alike = alike.filter(i => i !== largest);
  }
  const stands = (i: number): boolean => {
    if (!alike.includes(i)) return true;
    const others = alike.filter(j => j !== i);
    // Of two, each is as unlike the other.
    if (others.length < 2) return false;
    const rest = mean(others.map(j => variances[j]!));
    return upperF(variances[i]! / rest, df, others.length * df) < LEVEL;
  };
  return { alike, own: new Set([...rows.keys()].filter(stands)) };
}

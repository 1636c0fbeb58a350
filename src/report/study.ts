import { type ArmComparison, LEVEL, outcomeOf } from '../study/compare-arms.js';
import type { FigureFormat } from '../study/define.js';
import type { ArmSummary, Column, Spread, StudyReport } from '../study/summary.js';
import { brief, formatBytes, formatCount, formatDuration, formatNumber, plural } from './format.js';

const MINUS = '−';

/** `91.23 ± 0.15%`, `0.245 ± 0.003`, `2.69 M`; the error where the runs differ and the format has one. */
export function spreadText(spread: Spread | undefined, format: FigureFormat): string {
  if (!spread || Number.isNaN(spread.mean)) return '–';
  const { mean, standardError: error } = spread;
  if (format === 'percent') return `${withError(100 * mean, scaled(error, 100), 2, 2)}%`;
  if (format === 'number') return error ? withError(mean, error, 3) : formatNumber(mean);
  return valueText(mean, format);
}

/** An arm's figure over its runs, and how many have it where not all do: `14.3 ± 1.7 (2 of 3, else > 512)`. */
export function figureText({ figures, runs }: ArmSummary, { figure, format, absent }: Column): string {
  const spread = figures[figure];
  if (!spread) return (runs.length > 0 && absent) || '–';
  const text = spreadText(spread, format);
  const { length } = spread.values;
  return length < runs.length
    ? `${text} (${length} of ${runs.length}${absent ? `, else ${absent}` : ''})`
    : text;
}

/** One run's value of a figure. */
export function valueText(value: number | undefined, format: FigureFormat): string {
  if (value === undefined) return '–';
  switch (format) {
    case 'percent':
      return `${minus((100 * value).toFixed(2))}%`;
    case 'bytes':
      return formatBytes(Math.round(value));
    case 'count':
      return formatCount(Math.round(value));
    case 'ms':
      return formatDuration(value);
    case 'seconds':
      return brief(formatDuration(1000 * value));
    case 'number':
      return formatNumber(value);
  }
}

/** `+1.20 ± 0.30 points`, `−0.012 ± 0.004`. */
export function differenceText({ difference, standardError }: ArmComparison, metric: Column): string {
  const sign = difference > 0 ? '+' : '';
  if (metric.format !== 'percent') return sign + withError(difference, standardError, 3);
  return `${sign}${withError(100 * difference, 100 * standardError, 2, 2)} points`;
}

/** `0.012`, `< 0.001`. */
const pText = (p: number): string =>
  Number.isNaN(p) ? '–' : p < 0.001 ? '< 0.001' : p >= 0.1 ? p.toFixed(2) : p.toPrecision(2);

/** The corrected p-value of a comparison, with a star where it counts as a difference. */
export const markedP = ({ corrected }: ArmComparison): string =>
  `${pText(corrected)}${corrected < LEVEL ? ' *' : ''}`;

/** A comparison in a sentence that its numbers bear out; `undefined` without one. */
export function verdictOf(report: StudyReport, arm: ArmSummary): string | undefined {
  const { comparison } = arm;
  if (!comparison) return undefined;
  const { metric } = report;
  const [label, other] = [arm.name, comparison.against].map(name => labelIn(report, name));
  const p = pText(comparison.corrected);
  const proof = `p ${p.startsWith('<') ? p : `= ${p}`}, ${plural(comparison.seeds, 'seed')}`;
  const outcome = outcomeOf(comparison, metric);
  if (outcome === 'unclear') {
    return `No difference between ${label} and ${other} can be told (${differenceText(comparison, metric)}, ${proof}).`;
  }
  const by = differenceText(comparison, metric).replace(/^[+−]/, '');
  return `${label} ${outcome === 'better' ? 'beats' : 'loses to'} ${other} by ${by} (${proof}).`;
}

/** `3 seeds`, or `3 to 7 seeds` where arms have different numbers of them. */
export function seedsText({ arms, seeds }: Pick<StudyReport, 'arms' | 'seeds'>): string {
  const fewest = Math.min(...arms.map(({ runs, failed, missing }) => runs.length + failed.length + missing));
  return `${fewest < seeds.length ? `${fewest} to ` : ''}${plural(seeds.length, 'seed')}`;
}

/** The arms that tables show: those with a run, or all where none has one. */
export function begunArms({ arms }: Pick<StudyReport, 'arms'>): readonly ArmSummary[] {
  const begun = arms.filter(hasBegun);
  return begun.length > 0 ? begun : arms;
}

const hasBegun = ({ runs, failed }: ArmSummary): boolean => runs.length + failed.length > 0;

/** The arms that they leave out, in a sentence; `undefined` where there are none. */
export function idleText(report: Pick<StudyReport, 'arms'>): string | undefined {
  const begun = begunArms(report);
  const idle = report.arms.filter(arm => !begun.includes(arm));
  return idle.length > 0
    ? `Not run: ${idle.map(({ name }) => labelIn(report, name)).join('; ')}.`
    : undefined;
}

const TESTS: Readonly<Record<ArmComparison['test'], string>> = {
  blocked: 't-test on the differences within each seed, with the spread that the arms of the group share',
  separate: 'Welch’s t-test with its own spread for an arm that has a larger one (Cochran’s or F-test at 5%)',
  paired: 't-test on the differences within each seed',
  welch: 'Welch’s t-test',
};

/** How the p-values were found, for captions. */
export function testNote({ arms }: StudyReport): string {
  const tests = arms.flatMap(({ comparison }) => comparison ?? []);
  const groups = new Set(arms.flatMap(({ comparison, group = '' }) => (comparison ? group : [])));
  if (tests.length === 0) return 'No test: it takes two seeds.';
  const names = [...new Set(tests.map(({ test }) => test))].map(test => TESTS[test]);
  const within = groups.size > 1 ? 'the comparisons of each group' : `${tests.length} comparisons`;
  const many = tests.length > groups.size ? `, corrected for ${within} by Holm’s method` : '';
  return `± is the standard error of the mean over seeds. p: two-sided ${names.join(' or ')}${many}; below ${LEVEL} (*) counts as a difference.`;
}

/** What an arm is called, with its group where another has the same label. */
export function labelIn({ arms }: Pick<StudyReport, 'arms'>, name: string): string {
  const arm = arms.find(arm => arm.name === name);
  if (!arm) return name;
  const alone = arms.every(other => other === arm || other.label !== arm.label);
  return alone || arm.group === undefined ? arm.label : `${arm.label} (${arm.group})`;
}

/** `−1.20 ± 0.30`, with as many decimals, up to `most`, as the error has two digits for. */
function withError(value: number, error: number | undefined, digits: number, most = 6): string {
  if (error === undefined || !Number.isFinite(error)) return minus(value.toFixed(digits));
  const decimals = error > 0 ? Math.min(most, Math.max(0, 1 - Math.floor(Math.log10(error)))) : digits;
  return `${minus(value.toFixed(decimals))} ± ${error.toFixed(decimals)}`;
}

const scaled = (value: number | undefined, factor: number): number | undefined =>
  value === undefined ? undefined : factor * value;

const minus = (text: string): string => text.replace(/^-/, MINUS);

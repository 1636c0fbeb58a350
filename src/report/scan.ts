import type { ScanAxis, ScanPoint, ScanReport } from '../compress/scan.js';
import { brief, formatBytes, formatPercent } from './format.js';

/** The name of what a scan varies, as a heading. */
export const axisName = (vary: ScanAxis): string =>
  ({ error: 'Error of a layer', ratio: 'Share of a layer’s bytes', bits: 'Bits' })[vary];

/** A value of it. */
export const valueText = (vary: ScanAxis, value: number): string =>
  vary === 'bits' ? String(value) : brief(formatPercent(value));

/** Likeness that most uses cannot tell from the original. */
const LIKE = 0.99;

/** The outcome in a sentence: the smallest file of each method that is still like the original. */
export function scanSummary({ curves, bytes }: ScanReport): string {
  const found = curves
    .filter(({ points }) => points.length > 0)
    .map(({ method, points }) => ({
      method,
      best: points
        .filter(({ cosine }) => cosine >= LIKE)
        .reduce<ScanPoint | undefined>((low, p) => (low && low.bytes <= p.bytes ? low : p), undefined),
    }));
  const texts = found
    .sort((a, b) => (a.best?.bytes ?? Infinity) - (b.best?.bytes ?? Infinity))
    .map(({ method, best }) =>
      best
        ? `${method} ${formatBytes(best.bytes)} (${brief(formatPercent(best.bytes / bytes))})`
        : `${method} none`,
    );
  return `Of ${formatBytes(bytes)}, the smallest file with a cosine of at least ${LIKE}: ${texts.join(', ')}.`;
}

import type { CompressReport } from './report.js';

/** Bytes as people say them; MB is 10⁶. */
const megabytes = (bytes: number): string =>
  bytes >= 1e6 ? `${(bytes / 1e6).toFixed(bytes >= 1e8 ? 0 : 1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;

/** The outcome in one sentence: bytes, and the quality that speaks most plainly. */
export function verdictFor(
  report: Pick<CompressReport, 'bytes' | 'budget' | 'scores' | 'unchanged' | 'verification' | 'model'>,
): string {
  const { before, after } = report.bytes;
  const missed = report.budget.filter(({ held }) => !held).map(({ bound }) => bound);
  const budget = missed.length > 0 ? ` The budget does not hold: ${missed.join(', ')}.` : '';
  if (report.unchanged) {
    const reason = missed.length > 0 ? '' : ': nothing made it smaller and kept what was asked for';
    return `${report.model.name} stays as it is, ${megabytes(before)}${reason}.${budget}`;
  }
  const size = `${report.model.name} takes ${megabytes(after)} instead of ${megabytes(before)} (${((100 * after) / before).toFixed(1)}%)`;
  return `${size}; ${quality(report)}.${budget}`;
}

function quality({ scores, verification }: Pick<CompressReport, 'scores' | 'verification'>): string {
  if (scores.length > 0) {
    const show = (value: number, unit = '') => `${+value.toPrecision(4)}${unit}`;
    return scores
      .slice(0, 3)
      .map(({ name, before, after, unit }) => `${name} ${show(before, unit)} → ${show(after, unit)}`)
      .join(', ');
  }
  const worst = verification.outputs.reduce<(typeof verification.outputs)[number] | undefined>(
    (low, output) => (low && low.cosine <= output.cosine ? low : output),
    undefined,
  );
  if (!worst) return 'it was not verified';
  const top1 =
    worst.top1 === undefined ? '' : `, the same top entry in ${(100 * worst.top1).toFixed(1)}% of places`;
  const on = verification.generated ? 'made-up inputs' : 'held-out inputs';
  return `its output is like the original's with cosine ${worst.cosine.toFixed(4)}${top1} on ${verification.samples} ${on}`;
}

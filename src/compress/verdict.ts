import type { CompressReport } from './report.js';

/** Bytes as people say them; MB is 10⁶. */
const megabytes = (bytes: number): string =>
  bytes < 1e3
    ? `${bytes} B`
    : bytes >= 1e6
      ? `${(bytes / 1e6).toFixed(bytes >= 1e8 ? 0 : 1)} MB`
      : `${(bytes / 1e3).toFixed(1)} kB`;

/** The outcome in one sentence: bytes, and the quality that speaks most plainly. */
export function verdictFor(
  report: Pick<
    CompressReport,
    'bytes' | 'budget' | 'layers' | 'scores' | 'unchanged' | 'verification' | 'model'
  >,
): string {
  const { before, after } = report.bytes;
  const missed = report.budget.filter(({ held }) => !held).map(({ bound }) => bound);
  const budget = missed.length > 0 ? ` The budget does not hold: ${missed.join(', ')}.` : '';
  if (report.unchanged) {
    return `${report.model.name} stays as it is, ${megabytes(before)}${missed.length > 0 ? '' : `: ${whyUnchanged(report)}`}.${budget}`;
  }
  const size = `${report.model.name} takes ${megabytes(after)} instead of ${megabytes(before)} (${((100 * after) / before).toFixed(1)}%)`;
  return `${size}; ${quality(report)}.${budget}`;
}

function whyUnchanged({ layers, budget }: Pick<CompressReport, 'layers' | 'budget'>): string {
  if (layers.length === 0) return 'it has no weights that could be compressed';
  // A bound on the size alone asks for the best file within it, which may be the original.
  return budget.length > 0 && budget.every(({ bound }) => bound.startsWith('size'))
    ? 'it fits the budget already'
    : 'nothing made it smaller and kept what was asked for';
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

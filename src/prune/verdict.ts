import type { PruneReport } from './report.js';

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

/** The outcome in one sentence. */
export function verdictOf(report: Omit<PruneReport, 'verdict'>): string {
  const { parameters, flops, scores, verification, met } = report;
  const sizes = [
    ...(flops ? [`${percent(flops.after / flops.before)} of the operations`] : []),
    `${percent(parameters.after / parameters.before)} of the parameters`,
  ].join(' and ');
  const worst = verification.outputs.reduce((low, output) => Math.min(low, output.cosine), 1);
  const show = (value: number) => +value.toPrecision(4);
  const quality =
    scores.length > 0
      ? scores
          .map(({ name, before, after, unit }) => `${name} ${show(before)} → ${show(after)}${unit ?? ''}`)
          .join(', ')
      : `cosine ${worst.toFixed(4)} on ${verification.samples} ${verification.generated ? 'made-up' : 'held-out'} inputs`;
  const missed = met ? '' : ' Less than that could not be left without removing whole layers.';
  return `${report.model.name} keeps ${sizes}; ${quality}.${missed}`;
}

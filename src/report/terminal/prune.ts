import type { PruneReport } from '../../prune/report.js';
import {
  formatBytes,
  formatCosine,
  formatCount,
  formatDuration,
  formatPercent,
  printable,
} from '../format.js';
import { groupTable } from './groups.js';
import { type TextOptions, textPairs, wrap } from './text.js';

/** What was cut, what is left, and what it cost. */
export function pruneText(report: PruneReport, options: TextOptions): string {
  const { colours, width } = options;
  const line = (text: string) => wrap(printable(text), Math.min(width, 100));
  const cut = report.groups.filter(({ channels, left }) => left < channels);
  return [
    cut.length > 0 && groupTable(cut, options),
    textPairs(facts(report), colours),
    ...report.warnings.map(warning => colours.yellow(line(warning))),
    colours.bold(line(report.verdict)),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function facts(report: PruneReport): [string, string][] {
  const change = (pair: { before: number; after: number }, format: (value: number) => string) =>
    `${format(pair.before)} → ${format(pair.after)} (${formatPercent(pair.after / pair.before)})`;
  const { flops, time, blocks, retraining } = report;
  return [
    ...(blocks.length > 0 ? [['Blocks', `without ${blocks.join(', ')}`] as [string, string]] : []),
    ...(flops ? [['Operations', change(flops, formatCount)] as [string, string]] : []),
    ...(retraining
      ? [
          [
            'Retraining',
            `${retraining.epochs} epochs, distance of the outputs ${retraining.before.toPrecision(3)} → ${retraining.after.toPrecision(3)}`,
          ] as [string, string],
        ]
      : []),
    ['Parameters', change(report.parameters, formatCount)],
    ['Size', change(report.bytes, formatBytes)],
    ...report.scores.map(({ name, before, after, unit }): [string, string] => [
      name,
      `${+before.toPrecision(4)}${unit ?? ''} → ${+after.toPrecision(4)}${unit ?? ''}`,
    ]),
    ...report.verification.outputs.map(({ name, cosine, top1 }): [string, string] => [
      `Output ${printable(name)}`,
      `cosine ${formatCosine(cosine)}${top1 === undefined ? '' : `, same top-1 ${formatPercent(top1)}`}`,
    ]),
    ...(time
      ? [
          [
            'Time',
            `${formatDuration(time.beforeMs)} → ${formatDuration(time.afterMs)} (×${(time.afterMs / time.beforeMs).toPrecision(3)}, median of ${time.runs} runs, ${time.provider})`,
          ] as [string, string],
        ]
      : []),
  ];
}

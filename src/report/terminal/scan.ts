import type { ScanReport } from '../../compress/scan.js';
import { brief, formatBytes, formatCosine, formatPercent, printable } from '../format.js';
import { axisName, scanSummary, valueText } from '../scan.js';
import { scoreText } from '../scores.js';
import { type TextOptions, textTable, wrap } from './text.js';

/** Every file of a scan in a table, and what it comes to. */
export function scanText(report: ScanReport, options: TextOptions): string {
  const { colours, width } = options;
  const scores = report.curves[0]?.points[0]?.scores.map(({ name }) => name) ?? [];
  const rows = report.curves.flatMap(({ method, points }) =>
    points.map(point => [
      method,
      point.value === undefined ? '–' : valueText(report.vary, point.value),
      formatBytes(point.bytes),
      brief(formatPercent(point.bytes / report.bytes)),
      formatCosine(point.cosine),
      ...scores.map(name => {
        const row = point.scores.find(score => score.name === name);
        return row ? scoreText(row).after : '–';
      }),
    ]),
  );
  return [
    textTable(
      [
        { heading: 'Method' },
        { heading: axisName(report.vary), number: true },
        { heading: 'File', number: true },
        { heading: 'Of original', number: true, optional: 1 },
        { heading: 'Cosine', number: true },
        ...scores.map(name => ({ heading: printable(name), number: true })),
      ],
      rows,
      options,
    ),
    ...report.warnings.map(note => colours.yellow(wrap(printable(note), Math.min(width, 100)))),
    colours.bold(wrap(scanSummary(report), Math.min(width, 100))),
  ].join('\n\n');
}

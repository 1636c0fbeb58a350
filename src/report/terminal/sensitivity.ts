import type { SensitivityReport } from '../../compress/sensitivity-report.js';
import { formatBytes, formatCosine, formatPercent, formatShape, plural, printable } from '../format.js';
import { sensitivitySummary } from '../sensitivity.js';
import { type TextOptions, textTable, wrap } from './text.js';

const MOST_ROWS = 24;

/** The most sensitive layers in a table, and what it comes to. */
export function sensitivityText(report: SensitivityReport, options: TextOptions): string {
  const { colours, width } = options;
  const { layers } = report;
  const shown = layers.slice(0, MOST_ROWS);
  const line = (text: string) => wrap(printable(text), Math.min(width, 100));
  return [
    textTable(
      [
        { heading: '#', number: true, optional: 3 },
        { heading: 'Weight', shrinks: true },
        { heading: 'Op', optional: 4 },
        { heading: 'Shape', optional: 2 },
        { heading: 'Chosen', shrinks: true },
        { heading: 'Saves', number: true, optional: 1 },
        { heading: 'Own error', number: true },
        { heading: 'Output error', number: true },
        { heading: 'Cosine', number: true },
        { heading: 'Damage', number: true },
      ],
      shown.map(layer => [
        String(layer.position),
        printable(layer.weight),
        printable(layer.op),
        formatShape(layer.shape),
        layer.choice,
        formatBytes(layer.bytesBefore - layer.bytesAfter),
        formatPercent(layer.error),
        formatPercent(layer.outputError),
        formatCosine(layer.cosine),
        formatPercent(layer.share),
      ]),
      options,
    ),
    layers.length > shown.length &&
      colours.dim(`${plural(layers.length - shown.length, 'less sensitive layer')} not shown.`),
    report.skipped.length > 0 &&
      colours.dim(
        line(`${plural(report.skipped.length, 'layer')} left out: this level makes them no smaller.`),
      ),
    ...report.warnings.map(note => colours.yellow(line(note))),
    colours.bold(line(sensitivitySummary(report))),
  ]
    .filter(Boolean)
    .join('\n\n');
}

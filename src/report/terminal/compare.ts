import type { CompareReport } from '../../compare/report.js';
import { compareSummary, driftSummary } from '../comparison.js';
import { brief, formatBytes, formatCosine, formatDuration, formatPercent, printable } from '../format.js';
import { scoreText } from '../scores.js';
import { type TextOptions, textTable, wrap } from './text.js';

/** Sizes and times, then outputs, scores and what is inside, each as a table or a line. */
export function compareText(report: CompareReport, options: TextOptions): string {
  const { colours, width } = options;
  const { models } = report;
  const line = (text: string) => wrap(printable(text), Math.min(width, 100));
  return [
    sizes(report, options),
    agreement(report, options),
    scores(report, options),
    models
      .flatMap(model => driftSummary(model) ?? [])
      .map(line)
      .join('\n'),
    ...report.warnings.map(note => colours.yellow(line(note))),
    colours.bold(line(compareSummary(report))),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function sizes({ models }: CompareReport, options: TextOptions): string {
  const [first] = models;
  const share = (value: number | undefined, of: number | undefined) =>
    value === undefined || of === undefined ? '–' : `×${brief((value / of).toFixed(2))}`;
  const rows = models.map(({ name, bytes, gzipBytes, nodes, load, time }) => [
    printable(name),
    formatBytes(bytes),
    brief(formatPercent(bytes / first!.bytes)),
    gzipBytes === undefined ? '–' : formatBytes(gzipBytes),
    String(nodes),
    load ? formatDuration(load.ms) : '–',
    load ? formatBytes(load.bytes) : '–',
    time ? formatDuration(time.medianMs) : '–',
    share(time?.medianMs, first!.time?.medianMs),
  ]);
  return textTable(
    [
      { heading: 'Model', shrinks: true },
      { heading: 'Bytes', number: true },
      { heading: 'Of first', number: true, optional: 2 },
      { heading: 'Gzipped', number: true, optional: 3 },
      { heading: 'Nodes', number: true, optional: 5 },
      { heading: 'Load', number: true, optional: 4 },
      { heading: 'Memory', number: true, optional: 1 },
      { heading: 'Run', number: true },
      { heading: 'Of first', number: true },
    ],
    rows,
    options,
  );
}

function agreement({ models }: CompareReport, options: TextOptions): string {
  const rows = models.flatMap(({ name, outputs }) =>
    outputs.map(output => [
      printable(name),
      printable(output.name),
      formatCosine(output.cosine),
      output.cosine5 === undefined ? '–' : formatCosine(output.cosine5),
      formatPercent(output.relativeError),
      output.top1 === undefined ? '–' : formatPercent(output.top1),
    ]),
  );
  return textTable(
    [
      { heading: 'Model', shrinks: true },
      { heading: 'Output', shrinks: true },
      { heading: 'Cosine', number: true },
      { heading: '5th percentile', number: true, optional: 1 },
      { heading: 'Relative error', number: true },
      { heading: 'Same top-1', number: true },
    ],
    rows,
    options,
  );
}

function scores({ models }: CompareReport, options: TextOptions): string | false {
  const names = models[0]!.scores.map(({ name }) => name);
  if (names.length === 0) return false;
  return textTable(
    [{ heading: 'Model', shrinks: true }, ...names.map(name => ({ heading: printable(name), number: true }))],
    models.map(({ name, scores }, i) => [
      printable(name),
      ...names.map(score => {
        const row = scores.find(one => one.name === score);
        if (!row) return '–';
        const { after, difference } = scoreText(row);
        return i === 0 ? after : `${after} (${difference})`;
      }),
    ]),
    options,
  );
}

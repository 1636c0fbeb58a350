import type { CompressReport, LayerReport, RecoveryReport, ScoreRow } from '../../compress/report.js';
import {
  brief,
  formatBytes,
  formatCosine,
  formatDuration,
  formatNumber,
  formatPercent,
  formatShape,
  plural,
  printable,
  shorten,
} from '../format.js';
import { figureOf } from '../outcome.js';
import { scoreText } from '../scores.js';
import { type Colours, type TextOptions, textPairs, textTable, wrap } from './text.js';

/** More rows than these do not fit a screen; the page and `--json` have all. */
const MOST_ROWS = 24;

/** What a compression did, short: the largest layers, the figures, what to know, the verdict. */
export function compressText(report: CompressReport, options: TextOptions): string {
  const { colours, width } = options;
  return [
    report.layers.length > 0 && layerRows(report.layers, options),
    report.pareto && frontRows(report, options),
    textPairs(figures(report, colours), colours),
    ...report.warnings.map(note => colours.yellow(wrap(printable(note), Math.min(width, 100)))),
    colours.bold(wrap(printable(report.verdict), Math.min(width, 100))),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function layerRows(layers: readonly LayerReport[], options: TextOptions): string {
  const largest = new Set([...layers].sort((a, b) => b.bytesBefore - a.bytesBefore).slice(0, MOST_ROWS));
  // In the order of the network, which is how its author knows it.
  const shown = layers.filter(layer => largest.has(layer));
  const rest = layers.filter(layer => !largest.has(layer));
  const sum = (read: (layer: LayerReport) => number) =>
    formatBytes(rest.reduce((total, layer) => total + read(layer), 0));
  return textTable(
    [
      { heading: 'Weight', shrinks: true },
      { heading: 'Op', optional: 2 },
      { heading: 'Shape', optional: 1 },
      { heading: 'Before', number: true },
      { heading: 'After', number: true },
      { heading: 'Error', number: true },
      { heading: 'Chosen', shrinks: true },
    ],
    [
      ...shown.map(layer => [
        printable(layer.weight),
        printable(layer.op),
        formatShape(layer.shape),
        formatBytes(layer.bytesBefore),
        formatBytes(layer.bytesAfter),
        formatPercent(layer.error),
        layer.choice,
      ]),
      ...(rest.length > 0
        ? [
            [
              plural(rest.length, 'smaller layer'),
              '',
              '',
              sum(l => l.bytesBefore),
              sum(l => l.bytesAfter),
              '',
              '',
            ],
          ]
        : []),
    ],
    options,
  );
}

/** The whole front, smallest first; the file that was taken is marked. */
function frontRows({ pareto, bytes }: CompressReport, options: TextOptions): string {
  const { points } = pareto!;
  const scores = points[0]?.scores.map(({ name }) => name) ?? [];
  const pruned = points.some(point => point.pruned !== undefined);
  return textTable(
    [
      { heading: '' },
      { heading: 'File', number: true },
      { heading: 'Of original', number: true },
      { heading: 'Cosine', number: true },
      ...scores.map(name => ({ heading: printable(name), number: true })),
      ...(pruned ? [{ heading: 'Pruned to', number: true }] : []),
      { heading: 'Layers by form', shrinks: true },
    ],
    points.map(point => [
      point.bytes === bytes.after ? '→' : '',
      formatBytes(point.bytes),
      brief(formatPercent(point.bytes / bytes.before)),
      formatCosine(point.cosine),
      ...scores.map(name => {
        const row = point.scores.find(score => score.name === name);
        return row ? scoreText(row).after : '–';
      }),
      ...(pruned ? [point.pruned === undefined ? '' : brief(formatPercent(point.pruned))] : []),
      point.choices.map(({ label, layers }) => `${layers} ${label}`).join(', '),
    ]),
    options,
  );
}

function figures(report: CompressReport, colours: Colours): [string, string][] {
  const { bytes, budget, time, load, scores, calibration, verification } = report;
  return [
    [
      'Size',
      `${formatBytes(bytes.before)} → ${colours.bold(formatBytes(bytes.after))} (${formatPercent(bytes.after / (bytes.before || 1))})`,
    ],
    ...budget.map((outcome): [string, string] => [
      'Budget',
      `${printable(outcome.bound)}: ${figureOf(outcome, outcome.measured)}, ${outcome.held ? colours.green('holds') : colours.red('does not hold')}`,
    ]),
    ...scores.map((row): [string, string] => [shorten(printable(row.name), 40), scoreLine(row, colours)]),
    ...verification.outputs.map((output): [string, string] => [
      `Output ${shorten(printable(output.name), 32)}`,
      [
        `cosine ${formatCosine(output.cosine)}${intervalOf(output)}`,
        output.cosine5 !== undefined && `5th percentile ${formatCosine(output.cosine5)}`,
        output.top1 !== undefined && `same top-1 ${formatPercent(output.top1)}`,
        `relative error ${formatPercent(output.relativeError)}`,
      ]
        .filter(Boolean)
        .join(', '),
    ]),
    ...(report.recovery ? [['Recovery', recoveryText(report.recovery)] as [string, string]] : []),
    ...(time
      ? [
          [
            'Time',
            `${formatDuration(time.beforeMs)} → ${formatDuration(time.afterMs)} (×${formatNumber(Number((time.afterMs / time.beforeMs).toPrecision(3)))}, median of ${time.runs} runs, ${time.provider}${time.clock === 'processor' ? ', processor time' : ''})`,
          ] as [string, string],
        ]
      : []),
    ...(load
      ? [
          [
            'Loading',
            `${formatDuration(load.beforeMs)} → ${formatDuration(load.afterMs)}, memory ${formatBytes(load.beforeBytes)} → ${formatBytes(load.afterBytes)}`,
          ] as [string, string],
        ]
      : []),
    [
      'Inputs',
      `calibrated on ${plural(calibration.samples, calibration.generated ? 'made-up input' : 'input')}, verified on ${plural(verification.samples, 'other')}${verification.generated ? ', made up too' : ` (${printable(verification.source)})`}`,
    ],
  ];
}

/** What recovery did to the distortion of the outputs. */
function recoveryText({ layers, epochs, before, afterLayers, after, samples }: RecoveryReport): string {
  const change = (from: number, to: number) => (from > 0 ? formatPercent(to / from - 1) : 'nothing to win');
  const steps = [
    layers !== undefined &&
      (layers > 0
        ? `${plural(layers, 'layer')} fitted anew: ${change(before, afterLayers)}`
        : 'no layer gained'),
    epochs > 0 &&
      (after < afterLayers
        ? `${plural(epochs, 'epoch')} of distillation: ${change(afterLayers, after)}`
        : 'distillation did not help and was left out'),
  ];
  return `distortion ${formatNumber(Number(before.toPrecision(3)))} → ${formatNumber(Number(after.toPrecision(3)))} on ${plural(samples, 'other input')} (${steps.filter(Boolean).join(', ')})`;
}

const intervalOf = ({ intervals }: CompressReport['verification']['outputs'][number]): string =>
  intervals?.cosine
    ? ` (95%: ${formatCosine(intervals.cosine[0])} to ${formatCosine(intervals.cosine[1])})`
    : '';

function scoreLine(row: ScoreRow, colours: Colours): string {
  const { before, after, difference, change } = scoreText(row);
  const tone = { better: colours.green, worse: colours.red, same: colours.dim }[change];
  return `${before} → ${colours.bold(after)} (${tone(difference)}, ${row.betterIs} is better)`;
}

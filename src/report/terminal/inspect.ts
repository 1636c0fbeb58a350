import type { InspectReport, WeightReport } from '../../inspect/report.js';
import {
  formatBytes,
  formatCount,
  formatPercent,
  formatShape,
  plural,
  printable,
  shorten,
} from '../format.js';
import { energyRank, summaryOf } from '../inspection.js';
import { dimensionsText } from './dimensions.js';
import { type TextColumn, type TextOptions, textPairs, textTable, wrap } from './text.js';

/** What a model is made of: facts, weights, and a sentence. */
export function inspectText(report: InspectReport, options: TextOptions): string {
  const { colours, width } = options;
  return [
    textPairs(facts(report), colours),
    report.weights.length > 0 && weightRows(report.weights, options),
    report.dimensions && dimensionsText(report.dimensions, options),
    ...report.warnings.map(warning => colours.yellow(wrap(printable(warning), Math.min(width, 100)))),
    colours.bold(summaryOf(report)),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function facts({ model, bytes, ops, nodes, subgraphs }: InspectReport): [string, string][] {
  const signature = (values: InspectReport['model']['inputs']) =>
    values
      .map(
        ({ name, dtype, shape }) =>
          `${shorten(printable(name), 60)} ${dtype === 'unknown' ? '(no stated type)' : dtype}${shape ? ` ${formatShape(shape)}` : ''}`,
      )
      .join('; ');
  const most = ops.slice(0, 8).map(({ op, count }) => `${printable(op)} ${count}`);
  return [
    ...bytes.files.map((file): [string, string] => [
      'File',
      `${printable(file.path)}, ${formatBytes(file.bytes)}`,
    ]),
    [
      'Made by',
      `${printable(model.producer) || 'unknown'}, ${model.opsets.map(o => `${printable(o.domain) || 'opset'} ${o.version}`).join(', ')}`,
    ],
    ['Inputs', signature(model.inputs)],
    ['Outputs', signature(model.outputs)],
    [
      'Bytes',
      bytes.parts
        .filter(part => part.bytes > 0)
        .map(({ part, bytes }) => `${part === 'graph' ? 'nodes and names' : part} ${formatBytes(bytes)}`)
        .join(', '),
    ],
    [
      'Nodes',
      `${formatCount(nodes)}${subgraphs > 0 ? ` (with ${plural(subgraphs, 'subgraph')})` : ''}: ${most.join(', ')}${ops.length > most.length ? ', …' : ''}`,
    ],
  ];
}

function weightRows(weights: readonly WeightReport[], options: TextOptions): string {
  const spectra = weights.some(weight => weight.spectrum);
  const columns: TextColumn[] = [
    { heading: 'Weight', shrinks: true },
    { heading: 'Op', optional: 3 },
    { heading: 'Shape', optional: spectra ? 4 : 1 },
    { heading: 'Type', optional: 5 },
    { heading: 'Bytes', number: true },
    { heading: 'Share', number: true },
    { heading: 'Uses', number: true, optional: 6 },
    { heading: 'Break-even', number: true, optional: 2 },
    ...(spectra
      ? ['90%', '95%', '99%', '99.9%', 'Effective', 'Stable'].map(heading => ({ heading, number: true }))
      : []),
  ];
  const rows = weights.map(weight => [
    printable(weight.name),
    weight.op,
    formatShape(weight.shape),
    weight.dtype,
    formatBytes(weight.bytes),
    formatPercent(weight.share),
    String(weight.nodes.length),
    String(Math.ceil(weight.breakEven)),
    ...spectrumCells(weight),
  ]);
  const legend = `Break-even: two factors of a lower rank make the weight smaller.${spectra ? ' 90% to 99.9%: the rank that holds so much of the energy.' : ''}`;
  return `${textTable(columns, rows, options)}\n\n${options.colours.dim(wrap(legend, Math.min(options.width, 100)))}`;
}

function spectrumCells({ spectrum }: WeightReport): string[] {
  if (!spectrum) return [];
  return [
    ...[0.9, 0.95, 0.99, 0.999].map(share => String(energyRank(spectrum, share) ?? '–')),
    spectrum.effectiveRank.toFixed(1),
    spectrum.stableRank.toFixed(1),
  ];
}

import type { DimensionReport, InspectReport, WeightReport } from '../../inspect/report.js';
import {
  BYTES_NOTE,
  formatBytes,
  formatCount,
  formatPercent,
  formatShape,
  plural,
  shorten,
} from '../format.js';
import { energyRank, summaryOf } from '../inspection.js';
import { html, type Markup, type Piece } from '../markup.js';
import { page, section } from '../page.js';
import { barChart } from '../plot/bars.js';
import { type Column, nameOf, pairs, table } from '../table.js';
import { toneOf } from '../tone.js';
import { groupsTable, importances } from './groups.js';
import { signature } from './signature.js';
import { spectra } from './spectra.js';

const SHOWN_OPS = 16;

/** The HTML page of one inspection, complete in one file. */
export function inspectPage(report: InspectReport): string {
  const { model, weights, warnings } = report;
  const curves = spectra(
    weights.flatMap(({ name, shape, bytes, spectrum }) =>
      spectrum
        ? {
            weight: name,
            shape,
            bytes,
            values: spectrum.values,
            rank: energyRank(spectrum, 0.99),
            note: `99% of the energy in ${energyRank(spectrum, 0.99)} of ${spectrum.values.length}`,
          }
        : [],
    ),
    'Orange: the rank that holds 99% of the energy.',
  );
  const worth = importances(report.dimensions?.groups ?? []);
  return page({
    title: `${model.name}, inspected`,
    origin: html`<span><b>${shorten(model.path ?? model.name, 120)}</b></span>`,
    headline: summaryOf(report),
    body: [
      warnings.length > 0 &&
        section('Read this first', html`<ul>${warnings.map(w => html`<li>${w}</li>`)}</ul>`),
      section('Size', parts(report)),
      section(
        'Inputs and outputs',
        pairs([
          ['Inputs', signature(model.inputs)],
          ['Outputs', signature(model.outputs)],
        ]),
      ),
      section('Weights', weightTable(weights)),
      report.dimensions && section('What can be pruned', dimensions(report.dimensions)),
      worth !== null && section('What channels are worth', worth),
      curves !== null && section('Spectra', curves),
      section('Operators', operators(report)),
      section('The file', facts(report)),
    ],
    footer: `Written by Whittle ${report.whittle}.`,
  });
}

/** Which dimensions go together, why others stay, and which blocks can be left out. */
function dimensions({ groups, refused, blocks }: DimensionReport): Piece {
  return [
    groups.length > 0
      ? html`<p>${plural(groups.length, 'group')} of dimensions can be made smaller. A channel goes with all that belongs to it in every constant of its group.</p>${groupsTable(groups)}`
      : html`<p>No dimension can be made smaller.</p>`,
    blocks.length > 0 &&
      html`<p>${plural(blocks.length, 'residual block')} can be left out: ${shorten(blocks.join(', '), 600)}.</p>`,
    refused.length > 0 &&
      html`<details><summary>${refused.length === 1 ? 'One axis' : `${refused.length} axes`} of constants kept, and why</summary>${table(
        refused,
        [
          {
            heading: 'Constant',
            head: true,
            key: r => r.constant,
            cell: r => nameOf(shorten(r.constant, 80)),
          },
          { heading: 'Axis', number: true, cell: r => r.axis },
          { heading: 'Size', key: r => r.size, cell: r => r.size },
          { heading: 'Why', cell: r => shorten(r.reason, 200) },
        ],
      )}</details>`,
  ];
}

function parts({ bytes }: InspectReport): Piece {
  const shown = bytes.parts.filter(part => part.bytes > 0);
  const tone = (part: string) =>
    part === 'graph' ? 'var(--rest)' : part === 'float32' ? 'var(--quantize-2)' : toneOf(part);
  return [
    html`<div class="stack whole">${shown.map(({ part, bytes }) => html`<span style="background:${tone(part)};flex:${bytes} 0 0"></span>`)}</div>`,
    html`<ul class="key">${shown.map(
      ({ part, tensors, elements, bytes }) =>
        html`<li><span class="swatch" style="background:${tone(part)}"></span>${part === 'graph' ? 'nodes, names and shapes' : part}<span class="quiet">${formatBytes(bytes)}${tensors > 0 && `, ${formatCount(elements)} ${elements === 1 ? 'number' : 'numbers'} in ${plural(tensors, 'tensor')}`}</span></li>`,
    )}</ul>`,
    bytes.files.length > 1 &&
      table(bytes.files, [
        { heading: 'File', head: true, key: file => file.path, cell: file => nameOf(file.path) },
        { heading: 'Bytes', key: file => file.bytes, cell: file => formatBytes(file.bytes) },
      ]),
    html`<p class="quiet">${BYTES_NOTE}</p>`,
  ];
}

function weightTable(weights: readonly WeightReport[]): Piece {
  if (weights.length === 0) return html`<p>No constant weight multiplies an activation here.</p>`;
  const columns: Column<WeightReport>[] = [
    { heading: 'Weight', head: true, key: weight => weight.name, cell: weightCell },
    { heading: 'Bytes', key: weight => weight.bytes, cell: weight => formatBytes(weight.bytes) },
    { heading: 'Share', key: weight => weight.share, cell: weight => formatPercent(weight.share) },
    { heading: '', cell: weight => shareBar(weight, weights) },
    { heading: 'Matrix', fixed: true, cell: weight => `${weight.rows} × ${weight.columns}` },
    { heading: 'Break-even', key: weight => weight.breakEven, cell: weight => Math.ceil(weight.breakEven) },
  ];
  if (weights.some(weight => weight.spectrum)) {
    const rank = (
      heading: string,
      read: (s: NonNullable<WeightReport['spectrum']>) => number,
    ): Column<WeightReport> => ({
      heading,
      key: weight => (weight.spectrum ? read(weight.spectrum) : -1),
      cell: weight => (weight.spectrum ? Math.round(read(weight.spectrum)).toLocaleString('en') : '–'),
    });
    columns.push(
      rank('90%', s => energyRank(s, 0.9) ?? 0),
      rank('99%', s => energyRank(s, 0.99) ?? 0),
      rank('Effective', s => s.effectiveRank),
      rank('Stable', s => s.stableRank),
    );
  }
  return table(
    weights,
    columns,
    'Ranks below break-even make a factorized weight smaller. 90% and 99%: the rank that holds this much of the energy Σσ².',
    true,
  );
}

const weightCell = (weight: WeightReport): Piece => [
  nameOf(shorten(weight.name, 120)),
  html`<span class="quiet fixed">${weight.op}, ${weight.dtype}, ${formatShape(weight.shape)}</span>`,
  (weight.nodes.length > 1 || weight.nested) &&
    html`<span class="quiet">${[
      weight.nodes.length > 1 && `shared by ${plural(weight.nodes.length, 'node')}`,
      weight.nested && 'in a subgraph or function',
    ]
      .filter(Boolean)
      .join(', ')}</span>`,
];

function shareBar(weight: WeightReport, weights: readonly WeightReport[]): Markup {
  const most = Math.max(1, ...weights.map(w => w.bytes));
  return html`<span class="shrink bare"><span style="width:${((100 * weight.bytes) / most).toFixed(1)}%;background:var(--quantize-2)"></span></span>`;
}

function operators({ ops, nodes, subgraphs, model }: InspectReport): Piece {
  const rest = ops.slice(SHOWN_OPS);
  return [
    html`<p>${plural(nodes, 'node')} of ${plural(ops.length, 'kind')}${subgraphs > 0 && `, ${plural(subgraphs, 'subgraph')}`}${model.functions.length > 0 && `, ${plural(model.functions.length, 'function')}`}.</p>`,
    barChart({
      title: 'Nodes by operator',
      description: 'How many nodes of each operator the model has.',
      width: 560,
      bars: ops.slice(0, SHOWN_OPS).map(({ op, count }) => ({ label: shorten(op, 32), value: count })),
      format: formatCount,
    }),
    rest.length > 0 &&
      html`<p class="quiet">Further: ${rest.map(({ op, count }) => `${op} ${count}`).join(', ')}.</p>`,
  ];
}

function facts({ model }: InspectReport): Piece {
  return pairs([
    ['Graph', model.name || '–'],
    ['Made by', model.producer || 'unknown'],
    ['IR version', model.irVersion],
    ['Operator sets', model.opsets.map(o => `${o.domain || 'ai.onnx'} ${o.version}`).join(', ')],
    ...(model.functions.length > 0 ? [['Functions', shorten(model.functions.join(', '), 600)] as const] : []),
    ...model.metadata.map(({ key, value }) => [shorten(key, 40), shorten(value, 400)] as const),
  ]);
}

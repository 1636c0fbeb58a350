import type { SensitiveLayer, SensitivityReport } from '../../compress/sensitivity-report.js';
import { formatBytes, formatCosine, formatPercent, formatShape, plural, shorten } from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { page, section } from '../page.js';
import { rankingPlot } from '../plot/ranking.js';
import { sensitivitySummary } from '../sensitivity.js';
import { nameOf, pairs, table } from '../table.js';
import { toneOf } from '../tone.js';
import { dayOf } from './compress.js';

/** The page of `whittle sensitivity`: which layers a model cannot spare. */
export function sensitivityPage(report: SensitivityReport): string {
  const { model, layers } = report;
  return page({
    title: `${model.name}, layer by layer`,
    origin: html`<span><b>${shorten(model.name, 80)}</b>, layer by layer</span><time datetime="${report.date}">${dayOf(report.date)}</time>`,
    headline: sensitivitySummary(report),
    body: [
      report.warnings.length > 0 &&
        section(
          'Read this first',
          html`<ul>${report.warnings.map(warning => html`<li>${warning}</li>`)}</ul>`,
        ),
      section('Along the network', alongNetwork(layers)),
      section('Ranked', layerTable(layers)),
      section('What was done', setup(report)),
      report.command !== undefined &&
        section(
          'How to repeat it',
          html`<div class="repeat"><button type="button" data-copy hidden>Copy</button><pre><code>${report.command}</code></pre></div>`,
        ),
    ],
    footer: html`Written by Whittle ${report.whittle}. Outputs were measured in ONNX Runtime, one layer compressed at a time.`,
  });
}

function alongNetwork(layers: readonly SensitiveLayer[]): Markup {
  const ordered = [...layers].sort((a, b) => a.position - b.position);
  return html`<figure><div class="scroll" tabindex="0" role="group" aria-label="Sensitivity along the network">${rankingPlot(
    {
      title: 'Error of the outputs when one layer is compressed',
      description: `${layers.length} layers in the order of the network; the table below ranks them.`,
      label: 'Error of the outputs',
      bars: ordered.map(layer => ({
        value: layer.outputError,
        mark: layer.error,
        colour: toneOf(layer.choice),
        label: `${shorten(layer.weight, 80)}: outputs off by ${formatPercent(layer.outputError)}, its own by ${formatPercent(layer.error)}`,
      })),
    },
  )}</div><figcaption>Bars: how far the outputs of the model are off when this layer alone is compressed. Lines: how far the layer’s own output is. A bar higher than its line is an error that grows on its way through the network.</figcaption></figure>`;
}

function layerTable(layers: readonly SensitiveLayer[]): Markup {
  return table(
    layers,
    [
      {
        heading: '#',
        key: layer => layer.position,
        cell: layer => html`<span class="rank">${layer.position}</span>`,
      },
      {
        heading: 'Weight',
        head: true,
        key: layer => layer.weight,
        cell: layer => [
          nameOf(shorten(layer.weight, 120)),
          html`<span class="quiet fixed">${layer.op}, ${formatShape(layer.shape)}</span>`,
        ],
      },
      { heading: 'Chosen', key: layer => layer.choice, cell: layer => layer.choice, fixed: true },
      {
        heading: 'Saves',
        key: layer => layer.bytesBefore - layer.bytesAfter,
        cell: layer => formatBytes(layer.bytesBefore - layer.bytesAfter),
      },
      { heading: 'Own error', key: layer => layer.error, cell: layer => formatPercent(layer.error) },
      {
        heading: 'Output error',
        key: layer => layer.outputError,
        cell: layer => formatPercent(layer.outputError),
      },
      { heading: 'Cosine', key: layer => layer.cosine, cell: layer => formatCosine(layer.cosine) },
      ...(layers.some(({ top1 }) => top1 !== undefined)
        ? [
            {
              heading: 'Same top-1',
              key: (layer: SensitiveLayer) => layer.top1 ?? 1,
              cell: (layer: SensitiveLayer) => (layer.top1 === undefined ? '–' : formatPercent(layer.top1)),
            },
          ]
        : []),
      { heading: 'Damage', key: layer => layer.share, cell: layer => formatPercent(layer.share) },
    ],
    'Damage: its part of the sum of all squared output errors. Sort by a column’s heading.',
    true,
  );
}

function setup(report: SensitivityReport): Piece {
  const { calibration, verification, together, skipped } = report;
  return pairs([
    ['Each layer', report.level],
    [
      'Calibrated on',
      `${plural(calibration.samples, 'input')}${calibration.generated ? ', made up' : ` (${calibration.source})`}`,
    ],
    [
      'Measured on',
      `${plural(verification.samples, 'other input')}${verification.generated ? ', made up' : ''}`,
    ],
    ...(together
      ? [
          [
            'All at once',
            `${formatBytes(together.bytes)} of ${formatBytes(report.bytes)}; ${together.outputs
              .map(
                ({ cosine, relativeError }) =>
                  `cosine ${formatCosine(cosine)}, outputs off by ${formatPercent(relativeError)}`,
              )
              .join('; ')}`,
          ] as const,
        ]
      : []),
    ...(skipped.length > 0
      ? [
          [
            'Left out',
            `${plural(skipped.length, 'layer')} that this level makes no smaller: ${shorten(skipped.join(', '), 300)}`,
          ] as const,
        ]
      : []),
  ]);
}

import type { ComparedModel, CompareReport, LayerDrift } from '../../compare/report.js';
import type { OutputAgreement } from '../../compress/report.js';
import { compareSummary, driftSummary, worstCosine, worstLayers } from '../comparison.js';
import {
  BYTES_NOTE,
  brief,
  formatBytes,
  formatCosine,
  formatDuration,
  formatPercent,
  plural,
  shorten,
} from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { page, section } from '../page.js';
import { rankingPlot } from '../plot/ranking.js';
import { scoreText } from '../scores.js';
import { type Column, nameOf, table } from '../table.js';
import { dayOf } from './compress.js';

/** So many layers are listed; the plot shows all of them. */
const MOST_LAYERS = 12;

/** The page of `whittle compare`: models of any origin side by side. */
export function comparePage(report: CompareReport): string {
  const { models, inputs } = report;
  return page({
    title: `${models[0]!.name}, compared`,
    origin: html`<span>${plural(models.length, 'model')} on the same ${plural(inputs.samples, 'input')}</span><time datetime="${report.date}">${dayOf(report.date)}</time>`,
    headline: compareSummary(report),
    body: [
      report.warnings.length > 0 &&
        section(
          'Read this first',
          html`<ul>${report.warnings.map(warning => html`<li>${warning}</li>`)}</ul>`,
        ),
      section('Size and time', sizes(report)),
      section('Outputs', outputs(models)),
      models[0]!.scores.length > 0 && section('Your own scores', scores(models)),
      models.some(({ drift }) => drift) && section('Inside', models.map(inside)),
      section(
        'Inputs',
        html`<p>${inputs.source}: ${plural(inputs.samples, 'input')}, run on ${report.provider}.</p>`,
      ),
      report.command !== undefined &&
        section(
          'How to repeat it',
          html`<div class="repeat"><button type="button" data-copy hidden>Copy</button><pre><code>${report.command}</code></pre></div>`,
        ),
    ],
    footer: html`Written by Whittle ${report.whittle}. Every model was run in ONNX Runtime as its file is. ${BYTES_NOTE}`,
  });
}

const modelColumn: Column<ComparedModel> = {
  heading: 'Model',
  head: true,
  key: ({ name }) => name,
  cell: ({ name, producer }) => [
    nameOf(shorten(name, 80)),
    html`<span class="quiet fixed">${shorten(producer, 40)}</span>`,
  ],
};

function sizes({ models }: CompareReport): Markup {
  const [first] = models;
  return table(
    models,
    [
      modelColumn,
      { heading: 'Bytes', key: ({ bytes }) => bytes, cell: ({ bytes }) => formatBytes(bytes) },
      {
        heading: 'Of first',
        key: ({ bytes }) => bytes,
        cell: ({ bytes }) => brief(formatPercent(bytes / first!.bytes)),
      },
      {
        heading: 'Gzipped',
        number: true,
        cell: ({ gzipBytes }) => (gzipBytes === undefined ? '–' : formatBytes(gzipBytes)),
      },
      { heading: 'Nodes', key: ({ nodes }) => nodes, cell: ({ nodes }) => String(nodes) },
      { heading: 'Loading', number: true, cell: ({ load }) => (load ? formatDuration(load.ms) : '–') },
      { heading: 'Memory', number: true, cell: ({ load }) => (load ? formatBytes(load.bytes) : '–') },
      {
        heading: 'One run',
        number: true,
        cell: ({ time }) =>
          time
            ? [
                formatDuration(time.medianMs),
                html`<span class="range">${formatDuration(time.p10)} to ${formatDuration(time.p90)}</span>`,
              ]
            : '–',
      },
    ],
    'Memory: what loading and one run take in a process of their own. One run: the median of all models in turns, and the middle 80%.',
    true,
  );
}

function outputs(models: readonly ComparedModel[]): Markup {
  const rows = models.flatMap(model => model.outputs.map(output => ({ model, output })));
  const number = (
    heading: string,
    value: (output: OutputAgreement) => number | undefined,
    format: (value: number) => string,
  ): Column<(typeof rows)[number]> => ({
    heading,
    key: ({ output }) => value(output) ?? 0,
    cell: ({ output }) => {
      const found = value(output);
      return found === undefined ? '–' : format(found);
    },
  });
  return table(
    rows,
    [
      {
        heading: 'Model',
        head: true,
        key: ({ model }) => model.name,
        cell: ({ model }) => nameOf(shorten(model.name, 80)),
      },
      {
        heading: 'Output',
        key: ({ output }) => output.name,
        cell: ({ output }) => nameOf(shorten(output.name, 60)),
      },
      number('Cosine', ({ cosine }) => cosine, formatCosine),
      number('5th percentile', ({ cosine5 }) => cosine5, formatCosine),
      number('Relative error', ({ relativeError }) => relativeError, formatPercent),
      number('Same top-1', ({ top1 }) => top1, formatPercent),
    ],
    `Against ${shorten(models[0]!.name, 80)}`,
    true,
  );
}

const scores = (models: readonly ComparedModel[]): Markup =>
  table(models, [
    modelColumn,
    ...models[0]!.scores.map(
      (row, s): Column<ComparedModel> => ({
        heading: row.name,
        number: true,
        cell: model => {
          const own = model.scores[s];
          if (!own) return '–';
          const { after, difference } = scoreText(own);
          return model === models[0] ? after : [after, html`<span class="range">${difference}</span>`];
        },
      }),
    ),
  ]);

/** How far the values inside of one model are off, along the network and ranked. */
function inside(model: ComparedModel): Piece {
  const { drift } = model;
  if (!drift) return null;
  if (drift.layers.length === 0) return html`<p>${driftSummary(model)}</p>`;
  return [
    html`<p>${driftSummary(model)}</p>`,
    html`<figure><div class="scroll" tabindex="0" role="group" aria-label="Errors inside of ${model.name}">${rankingPlot(
      {
        title: 'Error of the values inside',
        description: `${drift.layers.length} values in the order of the network.`,
        label: `Error inside of ${shorten(model.name, 40)}`,
        bars: drift.layers.map(({ value, op, relativeError, cosine }) => ({
          value: relativeError,
          colour: 'var(--bar)',
          label: `${shorten(value, 80)} (${op}): off by ${formatPercent(relativeError)}, cosine ${formatCosine(cosine)}`,
        })),
      },
    )}</div></figure>`,
    table(
      worstLayers(drift.layers, MOST_LAYERS),
      [
        {
          heading: 'Value',
          head: true,
          cell: ({ value, op }: LayerDrift) => [
            nameOf(shorten(value, 80)),
            html`<span class="quiet fixed">${op}</span>`,
          ],
        },
        {
          heading: 'Relative error',
          key: ({ relativeError }) => relativeError,
          cell: ({ relativeError }) => formatPercent(relativeError),
        },
        { heading: 'Cosine', key: ({ cosine }) => cosine, cell: ({ cosine }) => formatCosine(cosine) },
      ],
      `Farthest off in ${shorten(model.name, 80)}; its outputs have a cosine of ${formatCosine(worstCosine(model))}`,
    ),
  ];
}

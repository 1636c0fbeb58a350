import type { CompressReport, LayerReport } from '../../compress/report.js';
import { formatDuration, shorten } from '../format.js';
import { html, type Piece } from '../markup.js';
import { page, section } from '../page.js';
import { barChart } from '../plot/bars.js';
import { pairs } from '../table.js';
import { budget } from './budget.js';
import { changes } from './changes.js';
import { layerMap } from './layer-map.js';
import { layerTable } from './layers.js';
import { pareto } from './pareto.js';
import { type InputViews, inputsUsed, quality, worstInputs } from './quality.js';
import { signature } from './signature.js';
import { sizeBars } from './size.js';
import { spectra } from './spectra.js';

export interface CompressPageOptions extends InputViews {}

/** The HTML report of one compression, complete in one file. */
export function compressPage(report: CompressReport, views: CompressPageOptions = {}): string {
  const { model, layers } = report;
  const optional = (heading: string, ...body: Piece[]) =>
    body.some(piece => piece !== null && piece !== false) && section(heading, ...body);
  return page({
    title: `${model.name}, compressed`,
    origin: html`<span><b>${shorten(model.name, 80)}</b>, compressed</span><time datetime="${report.date}">${dayOf(report.date)}</time>`,
    headline: report.verdict,
    body: [
      report.warnings.length > 0 &&
        section(
          'Read this first',
          html`<ul>${report.warnings.map(warning => html`<li>${warning}</li>`)}</ul>`,
        ),
      section('Size', sizeBars(report)),
      report.budget.length > 0 && section('Budget', budget(report)),
      section('Before and after', changes(report)),
      section('Likeness', quality(report)),
      optional('All sizes', pareto(report)),
      layers.length > 0 &&
        section(
          'Layers',
          html`<figure><div class="scroll" tabindex="0" role="group" aria-label="Layer map">${layerMap(layers, report.settings.error ?? 0)}</div><figcaption>One column a layer. Pale: bytes before; coloured: after.</figcaption></figure>`,
          layerTable(layers),
        ),
      optional('Spectra', spectraOf(layers)),
      optional('Worst inputs', worstInputs(report, views)),
      section('Inputs', inputsUsed(report)),
      section('The model', modelFacts(report)),
      section('How to repeat it', repeat(report)),
      report.phases.length > 0 && section('Time taken', phases(report)),
    ],
    footer: html`Written by Whittle ${report.whittle}. Sizes are those of the files; times and agreement were measured in ONNX Runtime.`,
  });
}

const spectraOf = (layers: readonly LayerReport[]): Piece =>
  spectra(
    layers.map(({ weight, shape, bytesBefore, rank, spectrum = [] }) => ({
      weight,
      shape,
      bytes: bytesBefore,
      values: spectrum,
      rank,
      note: rank === undefined ? undefined : `rank ${rank} of ${spectrum.length}`,
    })),
    'Orange: the rank that was kept.',
  );

function modelFacts({ model, parameters }: CompressReport): Piece {
  return pairs([
    ['File', model.path ?? 'built in memory'],
    ['Made by', `${model.producer || 'unknown'}, opset ${model.opset}`],
    ['Inputs', signature(model.inputs)],
    ['Outputs', signature(model.outputs)],
    [
      'Weights',
      `${parameters.before.toLocaleString('en')} before, ${parameters.after.toLocaleString('en')} stored after`,
    ],
  ]);
}

/** The command line and the settings behind it. */
export function repeat({
  command,
  settings,
  whittle,
}: {
  readonly command?: string;
  readonly settings: object;
  readonly whittle: string;
}): Piece {
  return [
    command !== undefined &&
      html`<div class="repeat"><button type="button" data-copy hidden>Copy</button><pre><code>${command}</code></pre></div><p></p>`,
    pairs([
      ...Object.entries(settings)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, settingText(value)] as const),
      ['version', whittle],
    ]),
  ];
}

const settingText = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : Array.isArray(value)
      ? value.join(', ') || 'none'
      : JSON.stringify(value);

export function phases(report: Pick<CompressReport, 'phases'>): Piece {
  return barChart({
    title: 'Time taken by phase',
    description: 'How long each phase took.',
    width: 640,
    bars: report.phases.map(phase => ({ label: phase.name, value: phase.ms })),
    format: formatDuration,
  });
}

export const dayOf = (date: string): string => {
  const time = new Date(date);
  if (Number.isNaN(time.getTime())) return date;
  return time.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });
};

import type { ScanAxis, ScanCurve, ScanPoint, ScanReport } from '../../compress/scan.js';
import { brief, formatBytes, formatCosine, formatNumber, formatPercent, plural, shorten } from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { page, section } from '../page.js';
import { type TradeoffCurve, tradeoffKey, tradeoffPlot } from '../plot/tradeoff.js';
import { responsive } from '../responsive.js';
import { axisName, scanSummary, valueText } from '../scan.js';
import { scoreText } from '../scores.js';
import { pairs, table } from '../table.js';
import { curveTone } from '../tone.js';
import { dayOf } from './compress.js';

/** The page of a scan: size against quality, one curve a method. */
export function scanPage(report: ScanReport): string {
  const { model } = report;
  return page({
    title: `${model.name}, scanned`,
    origin: html`<span><b>${shorten(model.name, 80)}</b>, ${axisName(report.vary)} varied</span><time datetime="${report.date}">${dayOf(report.date)}</time>`,
    headline: scanSummary(report),
    body: [
      report.warnings.length > 0 &&
        section(
          'Read this first',
          html`<ul>${report.warnings.map(warning => html`<li>${warning}</li>`)}</ul>`,
        ),
      section('Size and quality', likeness(report), scorePlots(report)),
      section('Every file', pointTable(report)),
      section('Inputs', inputs(report)),
      section('How to repeat it', repeat(report)),
    ],
    footer: html`Written by Whittle ${report.whittle}. Every point is a file, written and run in ONNX Runtime.`,
  });
}

function likeness(report: ScanReport): Markup {
  const curves = curvesOf(report, ({ cosine }) => cosine);
  const description = `${plural(report.curves.length, 'method')}, ${axisName(report.vary)} varied.`;
  return figure(
    curves,
    tradeoffSize =>
      tradeoffPlot({
        title: 'Size against likeness to the original',
        description,
        curves,
        original: report.bytes,
        measure: { name: 'Cosine to the original’s outputs', kind: 'cosine' },
        ...tradeoffSize,
      }),
    'Up and to the left is better.',
  );
}

function scorePlots(report: ScanReport): Piece {
  const rows = report.curves.flatMap(({ points }) => points[0]?.scores ?? []);
  return [...new Map(rows.map(row => [row.name, row])).values()].map(row => {
    const curves = curvesOf(
      report,
      ({ scores }) => scores.find(({ name }) => name === row.name)?.after ?? Number.NaN,
    );
    return figure(
      curves,
      size =>
        tradeoffPlot({
          title: `Size against ${row.name}`,
          description: `What the evaluation returned; the original scores ${row.before}.`,
          curves,
          original: report.bytes,
          measure: {
            name: row.name,
            kind: 'score',
            lowerIsBetter: row.betterIs === 'lower',
            unit: row.unit ?? '',
          },
          limits: { quality: row.before },
          ...size,
        }),
      'Dashed: the original’s score.',
    );
  });
}

const figure = (
  curves: readonly TradeoffCurve[],
  draw: (size: { width: number; height: number }) => Markup,
  caption: string,
): Markup =>
  html`<figure>${responsive(draw)}${tradeoffKey(curves, undefined)}<figcaption>${caption}</figcaption></figure>`;

const curvesOf = (report: ScanReport, quality: (point: ScanPoint) => number): TradeoffCurve[] =>
  report.curves.flatMap((curve, i) =>
    curve.points.length === 0
      ? []
      : [
          {
            name: curve.method,
            points: [...curve.points]
              .sort((a, b) => a.bytes - b.bytes)
              .map(point => ({
                bytes: point.bytes,
                quality: quality(point),
                label: labelOf(report.vary, curve, point),
              })),
            ...curveTone(curve.method, i),
          },
        ],
  );

const labelOf = (vary: ScanAxis, { method }: ScanCurve, point: ScanPoint): string =>
  `${method}${point.value === undefined ? '' : `, ${axisName(vary)} ${valueText(vary, point.value)}`}: ${formatBytes(point.bytes)}, cosine ${formatCosine(point.cosine)}`;

function pointTable(report: ScanReport): Markup {
  const { vary } = report;
  const rows = report.curves.flatMap(({ method, points }) => points.map(point => ({ method, ...point })));
  const scores = rows[0]?.scores.map(({ name }) => name) ?? [];
  return table(
    rows,
    [
      { heading: 'Method', head: true, key: row => row.method, cell: row => row.method },
      {
        heading: axisName(vary),
        key: row => row.value ?? 0,
        cell: row => (row.value === undefined ? '–' : valueText(vary, row.value)),
      },
      { heading: 'File', key: row => row.bytes, cell: row => formatBytes(row.bytes) },
      {
        heading: 'Of the original',
        number: true,
        cell: row => brief(formatPercent(row.bytes / report.bytes)),
      },
      { heading: 'Cosine', key: row => row.cosine, cell: row => formatCosine(row.cosine) },
      {
        heading: 'Relative error',
        key: row => errorOf(row),
        cell: row => formatPercent(errorOf(row)),
      },
      ...scores.map(name => ({
        heading: name,
        number: true,
        cell: (row: (typeof rows)[number]) => {
          const score = row.scores.find(s => s.name === name);
          return score ? scoreText(score).after : '–';
        },
      })),
    ],
    'Sort by a column’s heading.',
    true,
  );
}

const errorOf = ({ outputs }: ScanPoint): number =>
  Math.max(...outputs.map(({ relativeError }) => relativeError));

function inputs({ calibration, verification }: ScanReport): Piece {
  const from = (used: typeof calibration) => (used.generated ? 'made up' : used.source);
  return html`<p>Calibrated on ${plural(calibration.samples, 'input')} (${from(calibration)}), measured on ${plural(verification.samples, 'other')} (${from(verification)}).</p>`;
}

function repeat({ command, whittle, vary, error, bytes }: ScanReport): Piece {
  return [
    command !== undefined &&
      html`<div class="repeat"><button type="button" data-copy hidden>Copy</button><pre><code>${command}</code></pre></div><p></p>`,
    pairs([
      ['varied', axisName(vary)],
      ...(error === undefined ? [] : [['ranks by error', formatNumber(error)] as const]),
      ['original', formatBytes(bytes)],
      ['version', whittle],
    ]),
  ];
}

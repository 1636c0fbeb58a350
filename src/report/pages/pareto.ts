import type { CompressReport, ParetoPoint } from '../../compress/report.js';
import { brief, formatBytes, formatCosine, formatPercent } from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { type TradeoffCurve, type TradeoffOptions, tradeoffKey, tradeoffPlot } from '../plot/tradeoff.js';
import { responsive } from '../responsive.js';
import { scoreText } from '../scores.js';
import { table } from '../table.js';
import { curveTone } from '../tone.js';

/** The whole front: size against likeness and against the user's first score, and its points as a table. */
export function pareto(report: CompressReport): Piece {
  const { pareto: front, bytes } = report;
  if (!front || front.points.length === 0) return null;
  const score = front.points[0]!.scores[0];
  const limits = limitsOf(report);
  const likeness = curvesOf(report, ({ cosine }) => cosine, true);
  const chosenCosine = Math.min(1, ...report.verification.outputs.map(({ cosine }) => cosine));
  const chosen = (quality: number) => ({
    bytes: bytes.after,
    quality,
    label: `the file of this report: ${formatBytes(bytes.after)}`,
  });
  return [
    figure(
      {
        title: 'Size against likeness to the original',
        description: `${front.points.length} files of the best mix of methods, from ${formatBytes(front.points[0]!.bytes)} on, and what each method reaches alone.`,
        curves: likeness,
        original: bytes.before,
        measure: { name: 'Cosine to the original’s outputs', kind: 'cosine' },
        chosen: chosen(chosenCosine),
        limits: {
          ...(limits.bytes !== undefined && { bytes: limits.bytes }),
          ...(limits.cosine !== undefined && { quality: limits.cosine }),
        },
      },
      'Up and to the left is better. Every dot is a file, written and run on inputs that took no part in the choice.',
    ),
    score &&
      figure(
        {
          title: `Size against ${score.name}`,
          description: `What the evaluation returned for the files of the front; the original scores ${score.before}.`,
          curves: curvesOf(report, point => point.scores[0]?.after ?? Number.NaN, false),
          original: bytes.before,
          measure: {
            name: score.name,
            kind: 'score',
            lowerIsBetter: score.betterIs === 'lower',
            unit: score.unit ?? '',
          },
          chosen: chosen(report.scores.find(({ name }) => name === score.name)?.after ?? Number.NaN),
          limits: { quality: score.before },
        },
        'Dashed: the original’s score.',
      ),
    frontTable(front.points, bytes.before),
  ];
}

const figure = (options: Omit<TradeoffOptions, 'width' | 'height'>, caption: string): Markup =>
  html`<figure>${responsive(size => tradeoffPlot({ ...options, ...size }))}${tradeoffKey(options.curves, options.chosen && 'this report’s file')}<figcaption>${caption}</figcaption></figure>`;

/** The front and, where asked, what each method reaches alone, by one measure of quality. */
export function curvesOf(
  { pareto, bytes }: CompressReport,
  quality: (point: ParetoPoint) => number,
  withMethods: boolean,
): TradeoffCurve[] {
  const points = (some: readonly ParetoPoint[], name: string) =>
    some.map(point => ({
      bytes: point.bytes,
      quality: quality(point),
      label: `${name}, ${formatBytes(point.bytes)} (${formatPercent(point.bytes / bytes.before)}), cosine ${formatCosine(point.cosine)}: ${mixOf(point)}`,
    }));
  return [
    {
      name: 'all methods',
      points: points(pareto!.points, 'all methods'),
      colour: 'var(--ink)',
      leading: true,
    },
    ...(withMethods ? pareto!.methods : []).map((curve, i) => ({
      name: `${curve.method} alone`,
      points: points(curve.points, curve.method),
      ...curveTone(curve.method, i),
    })),
  ];
}

/** `21 int8, 14 lowrank int8, …`. */
const mixOf = ({ choices }: ParetoPoint): string =>
  choices
    .slice(0, 4)
    .map(({ label, layers }) => `${layers} ${label}`)
    .join(', ') + (choices.length > 4 ? ', …' : '');

function limitsOf({ budget }: CompressReport): { bytes?: number; cosine?: number } {
  const size = budget.find(({ bound }) => bound.startsWith('size'));
  const cosine = budget.find(({ bound }) => bound.startsWith('cosine'));
  return { ...(size && { bytes: size.limit }), ...(cosine && { cosine: cosine.limit }) };
}

function frontTable(points: readonly ParetoPoint[], before: number): Markup {
  const scores = points[0]!.scores.map(({ name }) => name);
  return table(
    points,
    [
      { heading: 'File', head: true, key: p => p.bytes, cell: p => formatBytes(p.bytes) },
      { heading: 'Of the original', number: true, cell: p => brief(formatPercent(p.bytes / before)) },
      { heading: 'Cosine', key: p => p.cosine, cell: p => formatCosine(p.cosine) },
      ...scores.map(name => ({
        heading: name,
        number: true,
        cell: (p: ParetoPoint) => {
          const row = p.scores.find(score => score.name === name);
          return row ? scoreText(row).after : '–';
        },
      })),
      { heading: 'Layers by form', cell: p => html`<span class="mix">${mixOf(p)}</span>` },
    ],
    'The front, smallest first',
    true,
  );
}

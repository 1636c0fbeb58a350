import type { CompressReport, ParetoPoint, ScoreRow } from '../../compress/report.js';
import { brief, formatBytes, formatCosine, formatPercent } from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { paretoFront } from '../plot/scatter.js';
import { type TradeoffCurve, type TradeoffOptions, tradeoffKey, tradeoffPlot } from '../plot/tradeoff.js';
import { responsive } from '../responsive.js';
import { scoreText } from '../scores.js';
import { table } from '../table.js';
import { curveTone, dashOf } from '../tone.js';

/** The whole front: size against likeness and against the user's first score, and its points as a table. */
export function pareto(report: CompressReport): Piece {
  const { pareto: front, bytes } = report;
  if (!front || front.points.length === 0) return null;
  const score = front.points[0]!.scores[0];
  const limits = limitsOf(report);
  const likeness = curvesOf(report, 'cosine');
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
        description: describeFront(report),
        curves: likeness,
        original: bytes.before,
        measure: COSINE,
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
          curves: curvesOf(report, 'score'),
          original: bytes.before,
          measure: scoreMeasure(score),
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

/** What the vertical axis shows. */
export const COSINE: TradeoffOptions['measure'] = {
  name: 'Cosine to the original’s outputs',
  kind: 'cosine',
};

export const scoreMeasure = ({ name, betterIs, unit = '' }: ScoreRow): TradeoffOptions['measure'] => ({
  name,
  kind: 'score',
  lowerIsBetter: betterIs === 'lower',
  unit,
});

/** The front in a sentence, for those who do not see it. */
export function describeFront({ pareto }: CompressReport): string {
  const { points, versions } = pareto!;
  return `${points.length} files of the best mix of methods${versions ? ', of the whole model and of pruned ones' : ''}, from ${formatBytes(points[0]!.bytes)} on, and what each method reaches alone.`;
}

const QUALITY = {
  cosine: ({ cosine }: ParetoPoint) => cosine,
  score: ({ scores }: ParetoPoint) => scores[0]?.after ?? Number.NaN,
};

/**
 * The front, the fronts that it was joined from, and what each method reaches alone, by likeness or by the user's first
 * score.
 */
export function curvesOf({ pareto, bytes }: CompressReport, by: keyof typeof QUALITY): TradeoffCurve[] {
  const { points, versions = [], methods } = pareto!;
  const quality = QUALITY[by];
  const lowerIsBetter = by === 'score' && points[0]?.scores[0]?.betterIs === 'lower';
  const curve = (
    name: string,
    some: readonly ParetoPoint[],
    look: Omit<TradeoffCurve, 'name' | 'points'>,
  ): TradeoffCurve => ({
    name,
    ...look,
    points: some.map(point => ({
      bytes: point.bytes,
      quality: quality(point),
      label: `${point.pruned === undefined ? '' : `${prunedTo(point.pruned)}, `}${name}, ${formatBytes(point.bytes)} (${formatPercent(point.bytes / bytes.before)}), cosine ${formatCosine(point.cosine)}: ${mixOf(point)}`,
      ...(point.pruned !== undefined && { colour: prunedColour(versions, point.pruned) }),
    })),
  });
  const best = paretoFront(
    points.map(point => ({ x: point.bytes, y: quality(point), point })).filter(({ y }) => Number.isFinite(y)),
    lowerIsBetter ? 'lowest' : 'highest',
  ).map(({ point }) => point);
  const joined = versions.some(({ pruned }) => pruned < 1);
  return [
    curve(joined ? 'pruning and all methods' : 'all methods', joined ? best : points, {
      colour: 'var(--ink)',
      leading: true,
    }),
    ...(joined ? versions : []).map(({ pruned, points }, i) =>
      curve(pruned === 1 ? 'all methods, not pruned' : prunedTo(pruned), points, {
        colour: pruned === 1 ? 'var(--quiet)' : prunedColour(versions, pruned),
        dash: pruned === 1 ? '3 3' : dashOf(i),
      }),
    ),
    ...methods
      .filter(({ points }) => points.some(point => Number.isFinite(quality(point))))
      .map(({ method, points }, i) => curve(`${method} alone`, points, curveTone(method, i))),
  ];
}

const prunedTo = (share: number): string => `pruned to ${Math.round(100 * share)}%`;

/** The more was pruned, the deeper the green. */
function prunedColour(versions: readonly { pruned: number }[], share: number): string {
  const shares = versions.map(({ pruned }) => pruned).filter(pruned => pruned < 1);
  const depth = shares.sort((a, b) => b - a).indexOf(share);
  return `var(--residual-${Math.min(3, Math.max(1, depth + (shares.length > 2 ? 1 : 2)))})`;
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
      ...(points.some(({ pruned }) => pruned !== undefined)
        ? [
            {
              heading: 'Pruned to',
              number: true,
              cell: ({ pruned }: ParetoPoint) =>
                pruned === undefined ? '' : `${Math.round(100 * pruned)}% of the operations`,
            },
          ]
        : []),
      { heading: 'Layers by form', cell: p => html`<span class="mix">${mixOf(p)}</span>` },
    ],
    'The front, smallest first',
    true,
  );
}

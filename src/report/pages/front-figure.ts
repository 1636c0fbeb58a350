import type { CompressReport, ParetoPoint } from '../../compress/report.js';
import { formatBytes } from '../format.js';
import { html, type Markup } from '../markup.js';
import { standalone } from '../plot/standalone.js';
import { type TradeoffCurve, tradeoffPlot } from '../plot/tradeoff.js';
import { COSINE, curvesOf, describeFront, scoreMeasure } from './pareto.js';

const WIDTH = 640;
const HEIGHTS = { alone: 400, above: 300, below: 250 };
/** A line of names under the plots. */
const KEY = 27;
const COLUMNS = 2;

/** Below the first nothing is left of the outputs, above the second nothing is lost: between them lies the choice. */
const LIKENESS = [0.95, 0.9999] as const;

/**
 * The front of sizes as one SVG file that stands by itself: for a README, light and dark, readable on a phone. The
 * user's first score has a plot of its own. Files whose outputs are ruined, or the same as the original's, are left out
 * where enough others are there.
 * @returns `undefined` where the report has no front
 */
export function frontFigure(report: CompressReport): string | undefined {
  const { pareto, bytes, model } = report;
  if (!pareto || pareto.points.length === 0) return undefined;
  const shown = closeUp(report);
  const score = shown.pareto!.points[0]!.scores[0];
  const title = `${model.name}: size against likeness to the original`;
  const common = {
    width: WIDTH,
    ...(shown === report ? { original: bytes.before } : {}),
    bytesLabel: `Bytes of the file (original: ${formatBytes(bytes.before)})`,
    description: describeFront(shown),
  };
  const curves = curvesOf(shown, 'cosine');
  const plots: { plot: Markup; height: number }[] = [];
  const add = (height: number, plot: (height: number) => Markup) => {
    plots.push({ plot: plot(height), height });
  };
  add(score ? HEIGHTS.above : HEIGHTS.alone, height =>
    tradeoffPlot({ ...common, height, title, curves, measure: COSINE }),
  );
  if (score) {
    add(HEIGHTS.below, height =>
      tradeoffPlot({
        ...common,
        height,
        title: `${model.name}: size against ${score.name}`,
        curves: curvesOf(shown, 'score'),
        measure: scoreMeasure(score),
        limits: { quality: score.before, label: 'original' },
      }),
    );
  }
  let top = 0;
  const placed = plots.map(({ plot, height }) => {
    const at = top;
    top += height;
    return html`<g transform="translate(0 ${at})">${plot}</g>`;
  });
  const lines = Math.ceil(curves.length / COLUMNS);
  const height = top + KEY * lines + 4;
  return standalone(html`<svg viewBox="0 0 ${WIDTH} ${height}">${placed}${key(curves, top + 16)}</svg>`, {
    width: WIDTH,
  });
}

/** The same report with the points between which one chooses; the report itself where too few would be left. */
function closeUp(report: CompressReport): CompressReport {
  const pareto = report.pareto!;
  const within = ({ cosine }: ParetoPoint) => cosine >= LIKENESS[0] && cosine <= LIKENESS[1];
  const points = pareto.points.filter(within);
  if (points.length < 4) return report;
  const some = <T extends { points: ParetoPoint[] }>(curves: readonly T[]): T[] =>
    curves
      .map(curve => ({ ...curve, points: curve.points.filter(within) }))
      .filter(curve => curve.points.length > 1);
  return {
    ...report,
    pareto: {
      points,
      methods: some(pareto.methods),
      ...(pareto.versions && { versions: some(pareto.versions) }),
    },
  };
}

/** The names of the lines, in columns. */
const key = (curves: readonly TradeoffCurve[], top: number): Markup[] =>
  curves.map(({ name, colour, dash, leading }, i) => {
    const left = 24 + (i % COLUMNS) * (WIDTH / COLUMNS);
    const y = top + KEY * Math.floor(i / COLUMNS);
    return html`<g transform="translate(${left} ${y})"><path class="${leading ? 'line leading' : 'line'}" d="M0,0H26" style="stroke:${colour}" stroke-dasharray="${dash ?? 'none'}"/><text x="33" dy="0.32em">${name}</text></g>`;
  });

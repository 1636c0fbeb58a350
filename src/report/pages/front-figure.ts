import type { CompressReport } from '../../compress/report.js';
import { formatBytes } from '../format.js';
import { html } from '../markup.js';
import { standalone } from '../plot/standalone.js';
import { tradeoffPlot } from '../plot/tradeoff.js';
import { curvesOf } from './pareto.js';

const SIZE = { width: 760, height: 420 };
/** Height of the line under the plot that names its curves. */
const KEY = 26;

/**
 * The front of sizes as one SVG file that stands by itself: for a README, light and dark.
 * @returns `undefined` where the report has no front
 */
export function frontFigure(report: CompressReport): string | undefined {
  const { pareto, bytes, model } = report;
  if (!pareto || pareto.points.length === 0) return undefined;
  const curves = curvesOf(report, ({ cosine }) => cosine, true);
  const plot = tradeoffPlot({
    ...SIZE,
    title: `${model.name}: size against likeness to the original`,
    description: `${pareto.points.length} files of the best mix of methods, from ${formatBytes(pareto.points[0]!.bytes)} on, and what each method reaches alone.`,
    curves,
    original: bytes.before,
    measure: { name: 'Cosine to the original’s outputs', kind: 'cosine' },
  });
  let at = 62;
  const key = curves.map(({ name, colour, dash, leading }) => {
    const left = at;
    at += 50 + 7 * name.length;
    return html`<g transform="translate(${left} ${SIZE.height + 12})"><path class="${leading ? 'line leading' : 'line'}" d="M0,0H26" style="stroke:${colour}" stroke-dasharray="${dash ?? 'none'}"/><text x="33" dy="0.32em">${name}</text></g>`;
  });
  const { width, height } = SIZE;
  return standalone(html`<svg viewBox="0 0 ${width} ${height + KEY}">${plot}${key}</svg>`, { width });
}

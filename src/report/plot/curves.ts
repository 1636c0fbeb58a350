import { line } from 'd3-shape';
import { formatNumber } from '../format.js';
import { html, type Markup } from '../markup.js';
import { type ChartOptions, chart, extent, px } from './chart.js';

/** A line of a small plot. Its name is in the key under all of them. */
export interface CurveLine {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly colour: string;
  readonly dash: string;
}

export interface CurvePlotOptions extends Pick<ChartOptions, 'title' | 'description'> {
  readonly lines: readonly CurveLine[];
  readonly xLabel: string;
}

/** One of several small plots with the same lines: a figure over training. */
export function curvePlot({ title, description, lines, xLabel }: CurvePlotOptions): Markup {
  const points = lines.flatMap(curve => curve.points);
  return chart(
    {
      title,
      description,
      width: 270,
      height: 190,
      margin: [24, 8, 36, 44],
      x: { label: xLabel, domain: extent(points.map(([x]) => x)), ticks: 4, format: short },
      y: { label: title, domain: extent(points.map(([, y]) => y)), ticks: 4, format: formatNumber },
    },
    (sx, sy) => {
      const path = line<readonly [number, number]>(
        ([x]) => px(sx(x)),
        ([, y]) => px(sy(y)),
      ).defined(([, y]) => Number.isFinite(y));
      return lines.map(
        ({ name, points: own, colour, dash }) =>
          html`<path class="line" d="${path([...own]) ?? ''}" style="stroke:${colour};stroke-width:1.5" stroke-dasharray="${dash}"><title>${name}</title></path>`,
      );
    },
  );
}

const short = (value: number): string => (value >= 10_000 ? `${formatNumber(value / 1000)}k` : String(value));

/** The names of the lines, to stand under the plots. */
export const curveKey = (lines: readonly Pick<CurveLine, 'name' | 'colour' | 'dash'>[]): Markup =>
  html`<ul class="key">${lines.map(
    ({ name, colour, dash }) =>
      html`<li><svg class="plot sample" width="26" height="10" viewBox="0 0 26 10" aria-hidden="true"><path class="line" d="M1,5H25" style="stroke:${colour}" stroke-dasharray="${dash}"/></svg>${name}</li>`,
  )}</ul>`;

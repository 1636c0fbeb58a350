import { scaleBand } from 'd3-scale';
import { brief, formatPercent } from '../format.js';
import { html, type Markup } from '../markup.js';
import { px, scaleOf, svg, yAxis } from './chart.js';

export interface RankingBar {
  value: number;
  /** A second value, drawn as a line across. */
  mark?: number;
  colour: string;
  /** Shown on hover. */
  label: string;
}

export interface RankingOptions {
  title: string;
  description: string;
  /** What the height is. */
  label: string;
  bars: readonly RankingBar[];
}

const AREA = { left: 60, top: 26, bottom: 250 };
const HEIGHT = 274;

/** One upright bar for each layer in order, errors as heights; as wide as it takes. */
export function rankingPlot({ title, description, label, bars }: RankingOptions): Markup {
  const width = Math.max(860, AREA.left + 8 + bars.length * 8);
  const right = width - 8;
  const finite = bars.flatMap(({ value, mark = 0 }) => [value, mark]).filter(Number.isFinite);
  const axis = {
    label,
    domain: [0, Math.max(1e-6, ...finite)],
    ticks: 5,
    format: (v: number) => brief(formatPercent(v)),
  } as const;
  const y = scaleOf(axis, AREA.bottom, AREA.top);
  const band = scaleBand<number>().domain(bars.keys()).range([AREA.left, right]).padding(0.25);
  // What is no number, or infinite, is as bad as can be.
  const heightOf = (value: number) => y(Number.isFinite(value) ? value : axis.domain[1]);
  return svg({ title, description, width, height: HEIGHT }, [
    yAxis(y, axis, { ...AREA, right }),
    html`<line class="base" x1="${AREA.left}" x2="${right}" y1="${AREA.bottom}" y2="${AREA.bottom}"/>`,
    bars.map(({ value, mark, colour, label }, i) => {
      const x = px(band(i) ?? 0);
      const w = px(band.bandwidth());
      const top = px(heightOf(value));
      return html`<g class="column"><title>${label}</title><rect x="${x}" y="${top}" width="${w}" height="${px(AREA.bottom - top)}" style="fill:${colour}"/>${mark !== undefined && Number.isFinite(mark) && html`<line class="own" x1="${px(x - 1)}" x2="${px(x + w + 1)}" y1="${px(y(mark))}" y2="${px(y(mark))}"/>`}<rect class="hit" x="${x}" y="${AREA.top}" width="${w}" height="${AREA.bottom - AREA.top}"/></g>`;
    }),
    html`<text x="${AREA.left}" y="${HEIGHT - 6}">first layer</text><text x="${right}" y="${HEIGHT - 6}" text-anchor="end">last layer</text>`,
  ]);
}

import { area as areaShape, line } from 'd3-shape';
import { html, type Markup } from '../markup.js';
import { chart, px } from './chart.js';

export interface SpectrumOptions {
  title: string;
  /** Singular values, largest first. */
  values: readonly number[];
  /** The rank that was kept. */
  rank?: number;
  /** The rank from which the factors would be larger than the matrix. */
  breakEven?: number;
  width?: number;
  height?: number;
}

/** Below this share of the largest, a singular value is rounding noise. */
const FLOOR = 1e-6;
const MOST_POINTS = 96;

/** Singular values relative to the largest, on a log scale: a steep curve is a matrix of low rank. */
export function spectrumPlot({ title, values, rank, breakEven, ...size }: SpectrumOptions): Markup {
  const top = values[0] || 1;
  const points = thin(values.map((value, i) => [i + 1, Math.max(value / top, FLOOR)] as const));
  const low = Math.min(0.1, 10 ** Math.floor(Math.log10(Math.max(FLOOR, points.at(-1)?.[1] ?? 0.1))));
  const description = `${values.length} singular values${rank === undefined ? '' : `, rank ${rank} kept`}${
    breakEven === undefined ? '' : `; factors pay off below rank ${Math.ceil(breakEven)}`
  }.`;
  return chart(
    {
      title,
      description,
      width: size.width ?? 208,
      height: size.height ?? 112,
      margin: [8, 8, 20, 34],
      x: { label: '', domain: [1, Math.max(2, values.length)], ticks: 3 },
      y: { label: '', domain: [low, 1], log: true, ticks: 3, format: powerOfTen },
    },
    (x, y, area) => {
      const kept = points.filter(([i]) => rank !== undefined && i <= rank);
      const fill = areaShape<readonly [number, number]>(
        p => px(x(p[0])),
        area.bottom,
        p => px(y(p[1])),
      );
      const path = line<readonly [number, number]>(
        p => px(x(p[0])),
        p => px(y(p[1])),
      );
      return [
        kept.length > 0 && html`<path class="kept" d="${fill(kept) ?? ''}"/>`,
        breakEven !== undefined &&
          breakEven < values.length &&
          html`<line class="even" x1="${px(x(breakEven))}" x2="${px(x(breakEven))}" y1="${area.top}" y2="${area.bottom}"/>`,
        html`<path class="line" d="${path(points) ?? ''}"/>`,
        rank !== undefined &&
          rank <= values.length &&
          html`<line class="rank" x1="${px(x(rank))}" x2="${px(x(rank))}" y1="${area.top}" y2="${area.bottom}"/>`,
      ];
    },
  );
}

/** At most 96 of the points, first and last among them: more does not show, but makes a page heavy. */
function thin<T>(points: readonly T[]): T[] {
  if (points.length <= MOST_POINTS) return [...points];
  const step = (points.length - 1) / (MOST_POINTS - 1);
  return Array.from({ length: MOST_POINTS }, (_, i) => points[Math.round(i * step)]!);
}

function powerOfTen(value: number): string {
  const power = Math.round(Math.log10(value));
  if (power === 0) return '1';
  return `10⁻${[...String(-power)].map(d => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(d)]).join('')}`;
}

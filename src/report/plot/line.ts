import { line } from 'd3-shape';
import { html, type Markup } from '../markup.js';
import { type AxisInput, type ChartOptions, chart, covering, px } from './chart.js';

export interface Series {
  name: string;
  /** In the order in which they are joined. */
  points: readonly (readonly [x: number, y: number])[];
}

export interface LinePlotOptions extends Omit<ChartOptions, 'x' | 'y'> {
  x: AxisInput;
  y: AxisInput;
  series: readonly Series[];
}

/** Dash patterns tell the lines apart without colour. */
const DASHES = ['none', '6 3', '2 3', '8 3 2 3', '1 4', '10 4'];

/** Lines with their names at their right ends. Points that a log axis cannot show are left out. */
export function linePlot({ series, x, y, ...options }: LinePlotOptions): Markup {
  const all = series.flatMap(s => s.points);
  return chart(
    {
      margin: [28, 110, 44, 60],
      ...options,
      x: covering(
        x,
        all.map(p => p[0]),
      ),
      y: covering(
        y,
        all.map(p => p[1]),
      ),
    },
    (sx, sy, area) => {
      const path = line<readonly [number, number]>(
        p => px(sx(p[0])),
        p => px(sy(p[1])),
      ).defined(([a, b]) => shown(a, x.log) && shown(b, y.log));
      return spread(
        series.map((s, i) => {
          const last = s.points.filter(([a, b]) => shown(a, x.log) && shown(b, y.log)).at(-1);
          return { s, i, y: last ? sy(last[1]) : area.bottom };
        }),
      ).map(
        ({ s, i, y: labelY }) =>
          html`<path class="line" d="${path([...s.points]) ?? ''}" style="stroke:var(--series-${(i % 6) + 1})" stroke-dasharray="${DASHES[i % 6]}"/><text x="${area.right + 8}" y="${px(labelY)}" dy="0.32em" style="fill:var(--series-${(i % 6) + 1})">${s.name}</text>`,
      );
    },
  );
}

const shown = (value: number, log = false): boolean => Number.isFinite(value) && (!log || value > 0);

/** Moves labels apart that would lie on each other. */
function spread<T extends { y: number }>(labels: T[], gap = 14): T[] {
  const sorted = labels.toSorted((a, b) => a.y - b.y);
  for (let i = 1; i < sorted.length; i++) sorted[i]!.y = Math.max(sorted[i]!.y, sorted[i - 1]!.y + gap);
  return sorted;
}

import { curveStepAfter, line, symbol, symbolsStroke } from 'd3-shape';
import { html, type Markup } from '../markup.js';
import { type AxisInput, type ChartOptions, chart, covering, px } from './chart.js';

export interface ScatterPoint {
  x: number;
  y: number;
  /** Shown on hover and read aloud. */
  label: string;
}

export interface ScatterOptions extends Omit<ChartOptions, 'x' | 'y'> {
  x: AxisInput;
  y: AxisInput;
  groups: readonly { name: string; points: readonly ScatterPoint[] }[];
  /** Draw the front of the points that no other beats; smaller x is better, and y as this says. */
  front?: 'lowest' | 'highest';
}

/** Points of several groups, told apart by colour and shape; with their Pareto front where asked. */
export function scatterPlot({ groups, x, y, front, ...options }: ScatterOptions): Markup {
  const all = groups.flatMap(g => g.points);
  const axes = {
    x: covering(
      x,
      all.map(p => p.x),
    ),
    y: covering(
      y,
      all.map(p => p.y),
    ),
  };
  return chart({ margin: [46, 20, 44, 60], ...options, ...axes }, (sx, sy, area) => {
    const step = line<ScatterPoint>(
      p => px(sx(p.x)),
      p => px(sy(p.y)),
    ).curve(curveStepAfter);
    let legendX = area.left;
    return [
      front && html`<path class="front" d="${step(paretoFront(all, front)) ?? ''}"/>`,
      groups.map((group, i) => {
        const shape = symbol(symbolsStroke[i % symbolsStroke.length], 44)() ?? '';
        const mark = (px: number, py: number, label?: string) =>
          html`<path class="mark" d="${shape}" transform="translate(${px} ${py})" style="stroke:var(--series-${(i % 6) + 1})">${label !== undefined && html`<title>${label}</title>`}</path>`;
        const at = legendX;
        legendX += 28 + 6.4 * group.name.length;
        return [
          mark(at + 4, 10),
          html`<text x="${at + 14}" y="10" dy="0.32em">${group.name}</text>`,
          group.points.map(p => mark(px(sx(p.x)), px(sy(p.y)), p.label)),
        ];
      }),
    ];
  });
}

/** The points that no other beats in both: smaller x, and lower or higher y. Sorted by x. */
export function paretoFront<T extends { x: number; y: number }>(
  points: readonly T[],
  better: 'lowest' | 'highest',
): T[] {
  const sign = better === 'lowest' ? 1 : -1;
  const front: T[] = [];
  for (const point of points.toSorted((a, b) => a.x - b.x || sign * (a.y - b.y))) {
    const last = front.at(-1);
    if (!last || sign * point.y < sign * last.y) front.push(point);
  }
  return front;
}

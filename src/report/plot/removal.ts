import { area as areaShape, line } from 'd3-shape';
import type { GroupReport } from '../../prune/report.js';
import { brief, formatNumber, formatPercent } from '../format.js';
import { html, type Markup } from '../markup.js';
import { chart, px } from './chart.js';

/** Short enough for the margin. */
const formatTick = (value: number): string =>
  value !== 0 && value < 1e-3 ? Number(value.toPrecision(3)).toExponential() : formatNumber(value);

/** What is lost as channels of one group go, least important first; those that went are shaded. */
export function removalPlot({ name, channels, left, importance }: GroupReport): Markup {
  const { gone = [], lost = [], of = 'weights' } = importance ?? {};
  const removed = channels - left;
  const points = [[0, 0] as const, ...gone.map((count, i) => [count, lost[i]!] as const)].filter(([, y]) =>
    Number.isFinite(y),
  );
  const most = Math.max(...points.map(([, y]) => y));
  return chart(
    {
      title: `What the channels of ${name} are worth`,
      description: `${removed} of ${channels} channels went; with ${points.at(-1)![0]} gone, ${formatNumber(points.at(-1)![1])} is lost.`,
      width: 208,
      height: 112,
      margin: [8, 8, 20, 40],
      x: { label: '', domain: [0, channels], ticks: 3 },
      y: {
        label: '',
        domain: [0, most || 1],
        ticks: 3,
        format: value => (of === 'weights' ? brief(formatPercent(value)) : formatTick(value)),
      },
    },
    (x, y, area) => {
      const path = line<readonly [number, number]>(
        p => px(x(p[0])),
        p => px(y(p[1])),
      );
      const fill = areaShape<readonly [number, number]>(
        p => px(x(p[0])),
        area.bottom,
        p => px(y(p[1])),
      );
      return [
        removed > 0 &&
          html`<path class="kept" d="${fill(points.filter(([count]) => count <= removed)) ?? ''}"/>`,
        html`<path class="line" d="${path(points) ?? ''}"/>`,
        removed > 0 &&
          html`<line class="rank" x1="${px(x(removed))}" x2="${px(x(removed))}" y1="${area.top}" y2="${area.bottom}"/>`,
      ];
    },
  );
}

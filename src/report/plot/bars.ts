import { scaleLinear } from 'd3-scale';
import { html, type Markup } from '../markup.js';
import { px, svg } from './chart.js';

export interface Bar {
  label: string;
  value: number;
  /** Any CSS colour; the page's ink where absent. */
  colour?: string;
}

export interface BarChartOptions {
  title: string;
  description: string;
  bars: readonly Bar[];
  format: (value: number) => string;
  width: number;
}

const ROW = 24;

/** Horizontal bars from zero, each with its label before and its value behind. */
export function barChart({ bars, format, width, title, description }: BarChartOptions): Markup {
  const left = Math.min(width / 3, 12 + 6.6 * Math.max(0, ...bars.map(bar => bar.label.length)));
  const longest = Math.max(0, ...bars.map(bar => bar.value));
  const length = scaleLinear([0, longest || 1], [0, width - left - 80]);
  return svg(
    { title, description, width, height: bars.length * ROW },
    bars.map(({ label, value, colour }, i) => {
      const y = i * ROW;
      const size = Math.max(value > 0 ? 1 : 0, length(value));
      return html`<text x="${left - 10}" y="${y + 12}" dy="0.32em" text-anchor="end">${label}</text><rect x="${px(left)}" y="${y + 4}" width="${px(size)}" height="16" style="fill:${colour ?? 'var(--bar)'}"/><text class="value" x="${px(left + size + 8)}" y="${y + 12}" dy="0.32em">${format(value)}</text>`;
    }),
  );
}

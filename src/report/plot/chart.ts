import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';
import { html, type Markup, type Piece } from '../markup.js';

/** One axis of a plot. A log axis shows positive values only. */
export interface Axis {
  label: string;
  domain: readonly [number, number];
  log?: boolean;
  /** About how many ticks. */
  ticks?: number;
  format?: (value: number) => string;
}

/** An axis whose domain is that of the data unless it is given. */
export type AxisInput = Omit<Axis, 'domain'> & { domain?: Axis['domain'] };

export interface ChartOptions {
  /** Read aloud, and shown by the browser on hover. */
  title: string;
  /** What the plot shows, in a sentence, for those who do not see it. */
  description: string;
  /** In CSS pixels at full size; the plot shrinks with its column. */
  width: number;
  height: number;
  x: Axis;
  y: Axis;
  /** Room around the plotting area: top, right, bottom, left. */
  margin?: readonly [number, number, number, number];
}

export type Scale = ScaleContinuousNumeric<number, number>;

/** The plotting area in pixels of the drawing. */
export interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A plot with labelled axes and a light grid; `draw` puts the marks in. */
export function chart(options: ChartOptions, draw: (x: Scale, y: Scale, area: Area) => Piece): Markup {
  const [top, right, bottom, left] = options.margin ?? [12, 16, 40, 52];
  const area = { left, top, right: options.width - right, bottom: options.height - bottom };
  const x = scaleOf(options.x, area.left, area.right);
  const y = scaleOf(options.y, area.bottom, area.top);
  return svg(options, html`${yAxis(y, options.y, area)}${xAxis(x, options.x, area)}${draw(x, y, area)}`);
}

/** An SVG drawing that scales to its column and says what it is. */
export const svg = (
  { title, description, width, height }: Pick<ChartOptions, 'title' | 'description' | 'width' | 'height'>,
  content: Piece,
): Markup =>
  html`<svg class="plot" role="img" aria-label="${title}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"><title>${title}</title><desc>${description}</desc>${content}</svg>`;

export function scaleOf(axis: Axis, from: number, to: number): Scale {
  const [low, high] = axis.domain;
  // A domain of one point has no scale: widen it.
  const domain = low === high ? (axis.log ? [low / 2, high * 2] : [low - 0.5, high + 0.5]) : [low, high];
  return (axis.log ? scaleLog() : scaleLinear()).domain(domain).range([from, to]);
}

/** The smallest interval that holds all finite values; only the positive ones for a log axis. */
export function extent(values: Iterable<number>, log = false): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value) || (log && value <= 0)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : log ? [0.1, 1] : [0, 1];
}

/** An axis over all values, unless it says its domain. */
export const covering = (axis: AxisInput, values: Iterable<number>): Axis => ({
  ...axis,
  domain: axis.domain ?? extent(values, axis.log),
});

export function yAxis(scale: Scale, axis: Axis, area: Area): Markup {
  return html`${ticksOf(scale, axis).map(
    tick =>
      html`<line class="grid" x1="${area.left}" x2="${area.right}" y1="${px(scale(tick))}" y2="${px(scale(tick))}"/><text x="${area.left - 8}" y="${px(scale(tick))}" dy="0.32em" text-anchor="end">${label(tick, axis)}</text>`,
  )}<text class="axis" x="${area.left}" y="${area.top - 10}">${axis.label}</text>`;
}

function xAxis(scale: Scale, axis: Axis, area: Area): Markup {
  return html`<line class="base" x1="${area.left}" x2="${area.right}" y1="${area.bottom}" y2="${area.bottom}"/>${apart(
    ticksOf(scale, axis),
    tick => scale(tick),
    tick => label(tick, axis),
  ).map(
    tick =>
      html`<text x="${px(scale(tick))}" y="${area.bottom + 16}" text-anchor="middle">${label(tick, axis)}</text>`,
  )}<text class="axis" x="${area.right}" y="${area.bottom + 34}" text-anchor="end">${axis.label}</text>`;
}

/** The ticks whose labels, beside each other, do not touch. */
function apart(
  ticks: readonly number[],
  at: (tick: number) => number,
  text: (tick: number) => string,
): number[] {
  const kept: number[] = [];
  const room = (tick: number) => 3.4 * text(tick).length + 5;
  for (const tick of ticks) {
    const last = kept.at(-1);
    if (last === undefined || Math.abs(at(tick) - at(last)) >= room(tick) + room(last)) kept.push(tick);
  }
  return kept;
}

/** A coordinate with a tenth of a pixel, which is as fine as anybody sees. */
export const px = (value: number): number => Math.round(value * 10) / 10;

/** Leading digits that lie about evenly within a decade, from many to few. */
const DIGITS = [[1, 2, 3, 4, 6, 8], [1, 2, 5], [1]];

function ticksOf(scale: Scale, axis: Axis): number[] {
  const wanted = axis.ticks ?? 5;
  const ticks = scale.ticks(wanted);
  if (!axis.log) return ticks;
  // d3 gives every 1–9 of each decade.
  for (const digits of DIGITS) {
    const round = ticks.filter(tick => digits.includes(Number(tick.toExponential(0)[0])));
    if (round.length > 1 && round.length <= wanted + 2) return round;
  }
  const powers = ticks.filter(tick => tick.toExponential(0)[0] === '1');
  if (powers.length < 2) return ticks;
  return powers.filter((_, i) => (powers.length - 1 - i) % Math.ceil(powers.length / wanted) === 0);
}

const label = (tick: number, axis: Axis): string => (axis.format ?? String)(tick);

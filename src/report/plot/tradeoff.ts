import { line } from 'd3-shape';
import { brief, formatBytes, formatCosine, formatNumber } from '../format.js';
import { html, type Markup } from '../markup.js';
import { type Axis, chart, extent, px } from './chart.js';

export interface TradeoffPoint {
  bytes: number;
  quality: number;
  /** Shown on hover and read aloud. */
  label: string;
  /** Of its dot; that of the curve by default. */
  colour?: string;
}

export interface TradeoffCurve {
  name: string;
  /** From few bytes to many. */
  points: readonly TradeoffPoint[];
  colour: string;
  dash?: string;
  /** Drawn over the others, and stronger. */
  leading?: boolean;
}

export interface TradeoffOptions {
  title: string;
  description: string;
  curves: readonly TradeoffCurve[];
  /** Bytes of the original file, to be marked; without it the axis ends with the largest point. */
  original?: number;
  /** Of the horizontal axis. */
  bytesLabel?: string;
  /** What the vertical axis shows; better is up. A cosine is drawn by what it misses to 1, on a log scale. */
  measure:
    | { name: string; kind: 'cosine' }
    | { name: string; kind: 'score'; lowerIsBetter: boolean; unit: string };
  /** The point that was taken. */
  chosen?: TradeoffPoint;
  limits?: { bytes?: number; quality?: number /** Stands at the limit of quality. */; label?: string };
  width: number;
  height: number;
}

/** What a cosine may miss to 1 and still be shown apart. */
const FLOOR = 1e-6;

/** Size against quality: one line a method, the chosen file marked. The names of the lines are in `tradeoffKey`. */
export function tradeoffPlot(options: TradeoffOptions): Markup {
  const { curves, original, measure, chosen, limits = {}, ...size } = options;
  const cosine = measure.kind === 'cosine';
  const y = (quality: number) => (cosine ? Math.max(FLOOR, 1 - quality) : quality);
  const points = [...curves.flatMap(curve => curve.points), ...(chosen ? [chosen] : [])].filter(
    ({ bytes, quality }) => Number.isFinite(quality) && bytes > 0,
  );
  const [smallest, largest] = extent(
    [...points.map(({ bytes }) => bytes), ...(original === undefined ? [] : [original])],
    true,
  );
  return chart(
    {
      ...size,
      margin: [30, 18, 44, 62],
      x: {
        label: options.bytesLabel ?? 'Bytes of the file',
        domain: [smallest * 0.94, largest * 1.06],
        log: true,
        ticks: size.width < 480 ? 3 : 6,
        format: v => brief(formatBytes(v)),
      },
      y: qualityAxis(
        measure,
        points.map(({ quality }) => y(quality)),
        limits.quality,
      ),
    },
    (sx, sy, area) => {
      const path = line<TradeoffPoint>(
        p => px(sx(p.bytes)),
        p => px(sy(y(p.quality))),
      ).defined(({ quality }) => Number.isFinite(quality));
      const dots = ({ points, leading, colour }: TradeoffCurve) =>
        points
          .filter(({ quality }) => Number.isFinite(quality))
          .map(
            p =>
              html`<circle class="dot" cx="${px(sx(p.bytes))}" cy="${px(sy(y(p.quality)))}" r="${leading ? 3.5 : 2.5}" style="fill:${p.colour ?? colour}"><title>${p.label}</title></circle>`,
          );
      const ordered = [...curves].sort((a, b) => Number(a.leading ?? false) - Number(b.leading ?? false));
      const right = chosen !== undefined && sx(chosen.bytes) < (area.left + area.right) / 2;
      return [
        original !== undefined &&
          html`<line class="even" x1="${px(sx(original))}" x2="${px(sx(original))}" y1="${area.top}" y2="${area.bottom}"/><text x="${px(sx(original)) - 6}" y="${area.bottom - 8}" text-anchor="end">original</text>`,
        limits.bytes !== undefined &&
          limits.bytes >= smallest &&
          limits.bytes < largest &&
          html`<line class="limit" x1="${px(sx(limits.bytes))}" x2="${px(sx(limits.bytes))}" y1="${area.top}" y2="${area.bottom}"/>`,
        limits.quality !== undefined &&
          html`<line class="limit" x1="${area.left}" x2="${area.right}" y1="${px(sy(y(limits.quality)))}" y2="${px(sy(y(limits.quality)))}"/>${limits.label !== undefined && html`<text x="${area.right}" y="${px(sy(y(limits.quality))) - 7}" text-anchor="end">${limits.label}</text>`}`,
        ordered.map(
          curve =>
            html`<path class="${curve.leading ? 'line leading' : 'line'}" d="${path([...curve.points]) ?? ''}" style="stroke:${curve.colour}" stroke-dasharray="${curve.dash ?? 'none'}"/>${dots(curve)}`,
        ),
        chosen !== undefined &&
          Number.isFinite(chosen.quality) &&
          html`<circle class="chosen" cx="${px(sx(chosen.bytes))}" cy="${px(sy(y(chosen.quality)))}" r="7"><title>${chosen.label}</title></circle><text class="callout" x="${px(sx(chosen.bytes) + (right ? 13 : -13))}" y="${px(sy(y(chosen.quality)) + 16)}" text-anchor="${right ? 'start' : 'end'}">${formatBytes(chosen.bytes)}, ${cosine ? formatCosine(chosen.quality) : formatNumber(chosen.quality)}</text>`,
      ];
    },
  );
}

function qualityAxis(
  measure: TradeoffOptions['measure'],
  values: readonly number[],
  limit: number | undefined,
): Axis {
  if (measure.kind === 'cosine') {
    const shown = limit === undefined ? values : [...values, Math.max(FLOOR, 1 - limit)];
    const [low, high] = extent(shown, true);
    return {
      label: measure.name,
      domain: [high * 1.4, low / 1.4],
      log: true,
      ticks: 6,
      format: v => brief(formatCosine(1 - v)),
    };
  }
  const [low, high] = extent(limit === undefined ? values : [...values, limit]);
  const room = 0.06 * (high - low || 1);
  const domain = [low - room, high + room] as const;
  return {
    label: measure.name,
    domain: measure.lowerIsBetter ? [domain[1], domain[0]] : domain,
    ticks: 5,
    format: v => `${formatNumber(v)}${measure.unit}`,
  };
}

/** The names of the lines, to stand under the plot. */
export const tradeoffKey = (curves: readonly TradeoffCurve[], chosen: string | undefined): Markup =>
  html`<ul class="key">${curves.map(
    ({ name, colour, dash, leading }) =>
      html`<li><svg class="plot sample" width="26" height="10" viewBox="0 0 26 10" aria-hidden="true"><path class="${leading ? 'line leading' : 'line'}" d="M1,5H25" style="stroke:${colour}" stroke-dasharray="${dash ?? 'none'}"/></svg>${name}</li>`,
  )}${chosen !== undefined && html`<li><svg class="plot sample" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><circle class="chosen" cx="8" cy="8" r="6.5"/></svg>${chosen}</li>`}</ul>`;

import { scaleBand } from 'd3-scale';
import type { LayerReport } from '../../compress/report.js';
import { brief, formatBytes, formatPercent, shorten } from '../format.js';
import { html, type Markup } from '../markup.js';
import { px, scaleOf, svg, yAxis } from '../plot/chart.js';
import { toneOf } from '../tone.js';

const LEFT = 64;
const RIGHT = 8;
const SIZES = { top: 24, bottom: 190 };
const ERRORS = { top: 234, bottom: 314 };
const HEIGHT = 338;

/**
 * All layers from the first to the last of the network: above, their bytes before (pale) and after (coloured by
 * method); below, the error of each and the limit it had to keep.
 */
export function layerMap(layers: readonly LayerReport[], limit: number): Markup {
  const width = Math.max(860, LEFT + RIGHT + layers.length * 6);
  const right = width - RIGHT;
  const band = scaleBand<number>()
    .domain(layers.keys())
    .range([LEFT, right])
    .paddingInner(layers.length > 120 ? 0.1 : 0.25)
    .paddingOuter(0.2);
  const most = Math.max(1, ...layers.map(layer => Math.max(layer.bytesBefore, layer.bytesAfter)));
  const worst = Math.max(limit * 1.2, ...layers.map(layer => layer.error).filter(Number.isFinite), 1e-6);
  const bytesAxis = {
    label: 'Bytes',
    domain: [0, most],
    ticks: 4,
    format: (v: number) => brief(formatBytes(v)),
  } as const;
  const errorAxis = {
    label: 'Error of the layer’s output',
    domain: [0, worst],
    ticks: 3,
    format: (v: number) => brief(formatPercent(v)),
  } as const;
  const bytes = scaleOf(bytesAxis, SIZES.bottom, SIZES.top);
  const error = scaleOf(errorAxis, ERRORS.bottom, ERRORS.top);
  const step = band.step();
  const columns = layers.map((layer, i) => {
    const x = px(band(i) ?? LEFT);
    const w = Math.max(1, px(band.bandwidth()));
    const rect = (value: number, attributes: Markup) =>
      html`<rect x="${x}" width="${w}" y="${px(bytes(value))}" height="${px(SIZES.bottom - bytes(value))}" ${attributes}/>`;
    const tone = toneOf(layer.choice);
    const name = `${shorten(layer.weight, 80)}: ${layer.choice}, ${formatBytes(layer.bytesBefore)} → ${formatBytes(layer.bytesAfter)}, error ${formatPercent(layer.error)}`;
    return html`<g class="column"><title>${name}</title>${rect(layer.bytesBefore, html`class="before"`)}${rect(layer.bytesAfter, html`style="fill:${tone}"`)}${Number.isFinite(layer.error) && html`<circle cx="${px(x + w / 2)}" cy="${px(error(layer.error))}" r="${Math.min(4, Math.max(2, w / 3))}" style="fill:${tone}"/>`}<rect class="hit" x="${px(x - (step - w) / 2)}" width="${px(step)}" y="${SIZES.top}" height="${ERRORS.bottom - SIZES.top}"/></g>`;
  });
  const saved = layers.reduce((sum, layer) => sum + layer.bytesBefore - layer.bytesAfter, 0);
  return svg(
    {
      title: 'Layers before and after',
      description: `${layers.length} layers in the order of the network, ${formatBytes(saved)} saved in all. The table below has every number.`,
      width,
      height: HEIGHT,
    },
    [
      yAxis(bytes, bytesAxis, { left: LEFT, right, ...SIZES }),
      yAxis(error, errorAxis, { left: LEFT, right, ...ERRORS }),
      html`<line class="base" x1="${LEFT}" x2="${right}" y1="${SIZES.bottom}" y2="${SIZES.bottom}"/><line class="base" x1="${LEFT}" x2="${right}" y1="${ERRORS.bottom}" y2="${ERRORS.bottom}"/>`,
      limit > 0 &&
        html`<line class="limit" x1="${LEFT}" x2="${right}" y1="${px(error(limit))}" y2="${px(error(limit))}"/><text class="limit" x="${right}" y="${px(error(limit)) - 6}" text-anchor="end">limit ${brief(formatPercent(limit))}</text>`,
      columns,
      html`<text x="${LEFT}" y="${HEIGHT - 6}">first layer</text><text x="${right}" y="${HEIGHT - 6}" text-anchor="end">last layer</text>`,
    ],
  );
}

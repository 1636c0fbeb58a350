import type { LayerReport } from '../../compress/report.js';
import { formatBytes, formatPercent, formatShape, plural, shorten } from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { nameOf, table } from '../table.js';
import { swatch, toneOf } from '../tone.js';

/** Every layer with its numbers; what else was tried opens in place. */
export function layerTable(layers: readonly LayerReport[]): Markup {
  const order = new Map(layers.map((layer, i) => [layer, i + 1]));
  return table(
    layers,
    [
      {
        heading: '#',
        key: layer => order.get(layer)!,
        cell: layer => html`<span class="rank">${order.get(layer)}</span>`,
      },
      { heading: 'Weight', head: true, key: layer => layer.weight, cell: weightCell },
      {
        heading: 'Chosen',
        key: layer => layer.choice,
        cell: layer => [swatch(layer.choice), layer.choice],
        fixed: true,
      },
      { heading: 'Before', key: layer => layer.bytesBefore, cell: layer => formatBytes(layer.bytesBefore) },
      { heading: 'After', key: layer => layer.bytesAfter, cell: layer => formatBytes(layer.bytesAfter) },
      { heading: '', cell: layer => shrinkBar(layer) },
      { heading: 'Error', key: layer => layer.error, cell: layer => formatPercent(layer.error) },
      { heading: 'Why', cell: whyCell },
    ],
    'Sort by a column’s heading; open a reason to see its node and all that was tried.',
    true,
  );
}

const weightCell = (layer: LayerReport): Piece => [
  nameOf(shorten(layer.weight, 120)),
  html`<span class="quiet fixed">${layer.op}, ${formatShape(layer.shape)}${layer.nodes.length > 1 && `, shared by ${plural(layer.nodes.length, 'node')}`}</span>`,
];

const shrinkBar = ({ bytesBefore, bytesAfter, choice }: LayerReport): Markup =>
  html`<span class="shrink"><span style="width:${Math.min(100, (100 * bytesAfter) / (bytesBefore || 1)).toFixed(1)}%;background:${toneOf(choice)}"></span></span>`;

function whyCell(layer: LayerReport): Piece {
  const nodes = layer.nodes
    .slice(0, 8)
    .map(node => html`<li>node <span class="name">${shorten(node, 80)}</span></li>`);
  return html`<details><summary>${layer.reason}</summary><ul>${nodes}${layer.candidates.map(
    candidate =>
      html`<li>${candidate.keepsRule ? candidate.label : html`<span class="past">${candidate.label}</span>`}, ${formatBytes(candidate.bytes)}, error ${formatPercent(candidate.error)}</li>`,
  )}</ul></details>`;
}

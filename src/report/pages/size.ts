import type { CompressReport, LayerReport } from '../../compress/report.js';
import { BYTES_NOTE, formatBytes, formatPercent, plural } from '../format.js';
import { html, type Markup } from '../markup.js';
import { methodOf, toneOf } from '../tone.js';

/** Bytes of the layers that one method was chosen for. */
export interface MethodShare {
  method: string;
  layers: number;
  before: number;
  after: number;
}

/** The layers by chosen method, the largest share of the new file first. */
function sharesOf(layers: readonly LayerReport[]): MethodShare[] {
  const shares = new Map<string, MethodShare>();
  for (const layer of layers) {
    const method = methodOf(layer.choice);
    const share = shares.get(method) ?? { method, layers: 0, before: 0, after: 0 };
    share.layers++;
    share.before += layer.bytesBefore;
    share.after += layer.bytesAfter;
    shares.set(method, share);
  }
  return [...shares.values()].sort((a, b) => b.after - a.after);
}

/** Both files as bars to one scale, divided by what was done to their layers. */
export function sizeBars(report: CompressReport): Markup {
  const { before, after } = report.bytes;
  const shares = sharesOf(report.layers);
  const longest = Math.max(before, after, 1);
  const bar = (total: number, bytesOf: (share: MethodShare) => number) => {
    // The figure behind the bar needs its room, the longer bar takes all the rest.
    const parts = shares.map(share => ({ tone: toneOf(share.method), bytes: bytesOf(share) }));
    const rest = Math.max(0, total - parts.reduce((sum, part) => sum + part.bytes, 0));
    return html`<span class="stack" style="width:calc((100% - 150px) * ${(total / longest).toFixed(4)})">${[
      ...parts,
      { tone: 'var(--rest)', bytes: rest },
    ].map(part => html`<span style="background:${part.tone};flex:${part.bytes} 0 0"></span>`)}</span>`;
  };
  const rest = after - shares.reduce((sum, share) => sum + share.after, 0);
  return html`<dl class="sizes"><dt>Before</dt><dd>${bar(before, s => s.before)}<span class="figure">${formatBytes(before)}</span></dd><dt>After</dt><dd>${bar(after, s => s.after)}<span class="figure">${formatBytes(after)}<small>${formatPercent(after / (before || 1))}</small></span></dd></dl><ul class="key">${shares.map(
    share =>
      html`<li><span class="swatch" style="background:${toneOf(share.method)}"></span>${share.method}<span class="quiet">${formatBytes(share.after)}, ${plural(share.layers, 'layer')}</span></li>`,
  )}${rest > 0 && html`<li><span class="swatch" style="background:var(--rest)"></span>everything else<span class="quiet">${formatBytes(rest)}</span></li>`}</ul><p class="quiet">Bytes of the files on disk. ${BYTES_NOTE}</p>`;
}

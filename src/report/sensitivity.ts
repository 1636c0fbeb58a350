import type { SensitivityReport } from '../compress/sensitivity-report.js';
import { formatBytes, formatCosine, formatPercent, plural, shorten } from './format.js';

/** The outcome in a sentence: how few layers make up most of the damage. */
export function sensitivitySummary({ layers, level, together, model }: SensitivityReport): string {
  const worst = layers[0]!;
  let held = 0;
  let few = 0;
  while (few < layers.length && held < 0.5) held += layers[few++]!.share;
  const cosine = Math.min(1, ...(together?.outputs.map(o => o.cosine) ?? []));
  const all = together
    ? ` All ${layers.length} at once: ${formatBytes(together.bytes)}, cosine ${formatCosine(cosine)}.`
    : '';
  const harm = Number.isFinite(worst.outputError)
    ? `output off by ${formatPercent(worst.outputError)}`
    : 'its output is no longer finite';
  return `With ${level}, ${shorten(worst.weight, 60)} hurts ${shorten(model.name, 60)} most (${harm}); ${plural(few, 'layer')} of ${layers.length} ${few === 1 ? 'makes' : 'make'} half of the damage.${all}`;
}

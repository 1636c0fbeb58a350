import type { ComparedModel, CompareReport, LayerDrift } from '../compare/report.js';
import { brief, formatBytes, formatCosine, formatPercent, plural } from './format.js';

/** The worst cosine of a model's outputs to the first one's; 1 for the first. */
export const worstCosine = ({ outputs }: ComparedModel): number =>
  outputs.reduce((least, { cosine }) => (cosine < least || Number.isNaN(cosine) ? cosine : least), 1);

/** The outcome in a sentence. */
export function compareSummary({ models }: CompareReport): string {
  const [first, ...others] = models;
  const texts = others.map(
    model =>
      `${model.name} ${formatBytes(model.bytes)} (${brief(formatPercent(model.bytes / first!.bytes))}), cosine ${formatCosine(worstCosine(model))}`,
  );
  return `Against ${first!.name} of ${formatBytes(first!.bytes)}: ${texts.join('; ')}.`;
}

/** How the values inside compare, in a sentence. */
export function driftSummary({ name, drift }: ComparedModel): string | undefined {
  if (!drift) return undefined;
  const { layers, values, samples } = drift;
  if (layers.length === 0) return `${name}: no value inside has the same name in both models.`;
  const worst = worstLayers(layers, 1)[0]!;
  return `${name}: ${plural(layers.length, 'value')} of ${values} inside have the same name and shape; the largest error is ${formatPercent(worst.relativeError)}, of ${worst.value} (${worst.op}), on ${plural(samples, 'input')}.`;
}

/** The layers that are off most, worst first. */
export const worstLayers = (layers: readonly LayerDrift[], count: number): LayerDrift[] =>
  [...layers].sort((a, b) => rank(b) - rank(a)).slice(0, count);

/** What is no number is as bad as can be. */
const rank = ({ relativeError }: LayerDrift): number =>
  Number.isNaN(relativeError) ? Number.POSITIVE_INFINITY : relativeError;

import type { InspectReport, WeightReport } from '../inspect/report.js';
import { formatBytes, formatPercent } from './format.js';

/** What stands out about a model, in a sentence. */
export function summaryOf({ bytes, weights }: InspectReport): string {
  if (weights.length === 0) {
    const quantized = bytes.parts
      .filter(({ part }) => /^u?int[248]$/.test(part))
      .reduce((sum, part) => sum + part.bytes, 0);
    const why = quantized > bytes.total / 2 ? ': it is quantized already' : '';
    return `${formatBytes(bytes.total)}, without a weight that could be compressed${why}.`;
  }
  const inWeights = weights.reduce((sum, weight) => sum + weight.bytes, 0);
  const share = formatPercent(bytes.total > 0 ? inWeights / bytes.total : 0);
  return weights.length === 1
    ? `${formatBytes(bytes.total)}, of which ${share} is one weight that can be compressed.`
    : `${formatBytes(bytes.total)}, of which ${share} are ${weights.length} weights that can be compressed.`;
}

/** The smallest rank that holds a share of the energy. */
export const energyRank = (
  spectrum: NonNullable<WeightReport['spectrum']>,
  share: number,
): number | undefined => spectrum.energy.find(entry => entry.share === share)?.rank;

import type { Site } from '../calibrate/sites.js';
import { WhittleError } from '../graph/errors.js';
import { matrix, singularValues } from '../linalg/index.js';
import { toMatrix } from './matrix.js';
import type { PhaseClock } from './phases.js';
import type { LayerReport } from './report.js';

/** Spectra of more layers than these do not help anybody. */
const MOST_LAYERS = 24;
/** Multiplications that one decomposition may take, about a second's worth. */
const MOST_WORK = 2e9;

/** Adds the singular values of the largest weights to their reports, where they are not there already. */
export async function addSpectra(
  layers: readonly LayerReport[],
  sites: readonly Site[],
  clock: PhaseClock,
): Promise<void> {
  const order = [...layers.keys()].sort((a, b) => layers[b]!.bytesBefore - layers[a]!.bytesBefore);
  const chosen = order.slice(0, MOST_LAYERS).filter(i => layers[i]!.spectrum === undefined);
  const computed = clock.start('spectra', chosen.length);
  for (const [done, i] of chosen.entries()) {
    computed(done, layers[i]!.weight);
    const { data, rows, cols } = toMatrix(sites[i]!.tensor, sites[i]!.layout);
    if (Math.min(rows, cols) < 2 || rows * cols * Math.min(rows, cols) > MOST_WORK) continue;
    try {
      layers[i]!.spectrum = Array.from(singularValues(matrix(data, rows, cols)));
    } catch (error) {
      // NaN weights have no spectrum; everything else of the report stands.
      if (!(error instanceof WhittleError)) throw error;
    }
    await new Promise(resolve => setTimeout(resolve));
  }
}

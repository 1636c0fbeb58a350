import { candidateKey, type Figures } from './cache.js';
import type { Layer } from './layer.js';
import type { Candidate, Method } from './method.js';
import type { Settings } from './options.js';
import type { LayerProbe } from './probe.js';
import type { ByteScale, Scored } from './score.js';

/** A layer that loses so much of its output helps no model. */
const HOPELESS = 0.5;

export interface ScoreOptions {
  readonly methods: readonly Method[];
  readonly settings: Settings;
  /** What is known already, and where the rest is kept. */
  readonly figures: Figures;
  /** Measures errors by running the layer, in the place of the closed form. */
  readonly probe?: LayerProbe | undefined;
}

/** What a candidate takes and what it costs, found once. */
export function measurers(layer: Layer, scale: ByteScale, { figures, probe }: ScoreOptions) {
  return {
    bytesOf: (candidate: Candidate): number =>
      figures.once(`bytes ${candidateKey(candidate)}`, () => scale.bytesOf(candidate)),
    measure: (candidate: Candidate): number | Promise<number> => {
      const key = `${probe ? 'forward' : 'closed'} ${candidateKey(candidate)}`;
      return figures.get(key) ?? figures.keep(key, probe?.error(candidate) ?? layer.errorOf(candidate));
    },
  };
}

/** Whether calibration saw fewer inputs than the layer is wide. */
export const isThin = (layer: Layer, figures: Figures): boolean =>
  figures.once('thin', () => {
    const { moment } = layer;
    return Number(moment !== undefined && moment.count < moment.width);
  }) === 1;

/** Scores the candidates of all methods for a layer, those that make it smaller. */
export async function scoreLayer(layer: Layer, scale: ByteScale, options: ScoreOptions): Promise<Scored[]> {
  const { methods, settings, figures } = options;
  const { bytesOf, measure } = measurers(layer, scale, options);
  isThin(layer, figures);
  // A curve for each method wants them all; else what another beats in bytes and error is never chosen.
  const byBytes = settings.goal === 'size' && !settings.pareto;
  const scored: Scored[] = [];
  for (const method of methods) {
    for (const candidate of method.propose(layer)) {
      const least = figures.once(`least ${candidateKey(candidate)}`, () => candidate.leastError?.() ?? 0);
      if (least > HOPELESS) continue;
      const { leastBytes = 0 } = candidate;
      if (byBytes && scored.some(s => s.bytes <= leastBytes && s.error <= least)) continue;
      const result = { candidate, bytes: bytesOf(candidate), error: await measure(candidate) };
      if (result.bytes < scale.before && result.error <= (settings.error ?? Infinity)) scored.push(result);
    }
  }
  return scored;
}

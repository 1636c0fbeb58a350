import { candidateKey, Figures } from './cache.js';
import type { EndToEnd } from './end-to-end.js';
import type { Scored } from './score.js';
import type { Site } from './sites.js';

/** One measured point: a layer's own error, and what it did to the model's outputs. */
export interface ProbePoint {
  readonly label: string;
  readonly error: number;
  readonly distortion: number;
}

/** How a model's outputs answer to errors in one layer. */
export interface Sensitivity {
  readonly points: readonly ProbePoint[];
  /** Distortion of the outputs at a layer error, by interpolation between the probes. */
  predict(error: number): number;
}

/** Layer errors that probes should lie near; one per level. */
const LEVELS = [0.08, 0.025, 0.25];

/** Probes a layer end to end with candidates whose errors lie near the levels. */
export async function probeSensitivity(
  site: Site,
  scored: readonly Scored[],
  endToEnd: EndToEnd,
  levels: number,
  figures = new Figures(),
): Promise<Sensitivity> {
  const points: ProbePoint[] = [];
  if (endToEnd.reaches(site)) {
    for (const { candidate, error } of chooseProbes(scored, levels)) {
      const key = candidateKey(candidate);
      const distortion =
        figures.get(key) ??
        (await figures.keep(key, endToEnd.measure(new Map([[site, candidate.weight()]]))));
      points.push({ label: candidate.label, error, distortion });
    }
  }
  figures.save();
  points.sort((a, b) => a.error - b.error);
  return { points, predict: error => predict(points, error) };
}

function chooseProbes(scored: readonly Scored[], levels: number): Scored[] {
  const chosen = new Set<Scored>();
  for (const level of LEVELS.slice(0, levels)) {
    const distance = ({ error }: Scored) => Math.abs(Math.log(Math.max(error, 1e-9) / level));
    const usable = scored.filter(s => !chosen.has(s) && s.error > 0 && Number.isFinite(s.error));
    if (usable.length === 0) break;
    chosen.add(usable.reduce((best, s) => (distance(s) < distance(best) ? s : best)));
  }
  return [...chosen];
}

/** Below this, a distortion is rounding noise of float32 rather than an effect. */
const NOISE = 1e-9;

/**
 * Power laws between neighbouring points, the law of small errors (the square) beyond them. Without any point the layer
 * counts as if the outputs followed it one to one.
 */
function predict(points: readonly ProbePoint[], error: number): number {
  if (error === 0) return 0;
  if (!Number.isFinite(error)) return Infinity;
  if (points.length === 0) return error ** 2;
  const above = points.findIndex(point => point.error >= error);
  if (above <= 0) {
    const nearest = above === 0 ? points[0]! : points.at(-1)!;
    return Math.max(nearest.distortion, NOISE) * (error / nearest.error) ** 2;
  }
  const [a, b] = [points[above - 1]!, points[above]!];
  const [low, high] = [Math.max(a.distortion, NOISE), Math.max(b.distortion, NOISE)];
  const share = Math.log(error / a.error) / Math.log(b.error / a.error);
  return low * (high / low) ** share;
}

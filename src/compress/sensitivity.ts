import type { Site } from '../calibrate/sites.js';
import { candidateKey, Figures } from './cache.js';
import type { EndToEnd } from './end-to-end.js';
import type { Scored } from './score.js';

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
  const anchors = reconcile(points);
  return { points, predict: error => predict(anchors, error) };
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

/** Exponents between two points beyond which their measurements are chance. */
const EXPONENTS = { least: 1, most: 3 };

type Anchor = Pick<ProbePoint, 'error' | 'distortion'>;

const exponentOf = (a: Anchor, b: Anchor): number =>
  Math.log(b.distortion / a.distortion) / Math.log(b.error / a.error);

/** The points, errors rising, with one in the middle for two that contradict each other. */
function reconcile(points: readonly ProbePoint[]): Anchor[] {
  const anchors: Anchor[] = [];
  for (const { error, distortion } of points) {
    let next: Anchor = { error, distortion: Math.max(distortion, NOISE) };
    for (let last = anchors.at(-1); last; last = anchors.at(-1)) {
      const exponent = exponentOf(last, next);
      if (exponent >= EXPONENTS.least && exponent <= EXPONENTS.most) break;
      next = {
        error: Math.sqrt(last.error * next.error),
        distortion: Math.sqrt(last.distortion * next.distortion),
      };
      anchors.pop();
    }
    anchors.push(next);
  }
  return anchors;
}

/**
 * Power laws between neighbouring anchors, the law of small errors (the square) beyond them. Without any the layer
 * counts as if the outputs followed it one to one.
 */
function predict(anchors: readonly Anchor[], error: number): number {
  if (error === 0) return 0;
  if (!Number.isFinite(error)) return Infinity;
  if (anchors.length === 0) return error ** 2;
  const above = anchors.findIndex(anchor => anchor.error >= error);
  if (above <= 0) {
    const nearest = above === 0 ? anchors[0]! : anchors.at(-1)!;
    return nearest.distortion * (error / nearest.error) ** 2;
  }
  const [a, b] = [anchors[above - 1]!, anchors[above]!];
  return a.distortion * (error / a.error) ** exponentOf(a, b);
}

import type { ChannelGroup } from './groups.js';
import type { RemovalCurve } from './importance/curve.js';
import type { Label } from './labels.js';
import type { ModelSize, SizeForecast } from './size.js';

/** What is to be left, as shares of the original; both must hold. */
export interface PruneTarget {
  readonly flops?: number | undefined;
  readonly parameters?: number | undefined;
}

export interface Allocation {
  /** Channels that go, by group. */
  readonly selection: Map<ChannelGroup, readonly number[]>;
  /** Forecast of what is left, as shares. */
  readonly left: ModelSize;
  /** Whether the target is met; where it is not, nothing more can go. */
  readonly met: boolean;
}

/**
 * Takes channels away step by step, each time where the outputs lose least for what is saved, until the target is met.
 * What a step saves depends on the steps before: it is counted anew each time.
 */
export function allocateGlobally(
  curves: readonly RemovalCurve[],
  forecast: SizeForecast,
  target: PruneTarget,
): Allocation {
  const at = curves.map(() => -1);
  const steps = curves.map(hullSteps);
  while (!meets(forecast, target)) {
    let best: { curve: number; rate: number } | undefined;
    const before = forecast.now();
    for (const [i, curve] of curves.entries()) {
      const next = steps[i]!.find(step => step > at[i]!);
      if (next === undefined) continue;
      const atoms = atomsBetween(curve, at[i]!, next);
      forecast.remove(atoms);
      const saved = savedBy(before, forecast, target);
      const possible = !forecast.empty;
      forecast.restore(atoms);
      if (!possible || saved <= 0) continue;
      const rate = (curve.errors[next]! - (curve.errors[at[i]!] ?? 0)) / saved;
      if (!best || rate < best.rate) best = { curve: i, rate };
    }
    if (!best) break;
    const next = steps[best.curve]!.find(step => step > at[best.curve]!)!;
    forecast.remove(atomsBetween(curves[best.curve]!, at[best.curve]!, next));
    at[best.curve] = next;
  }
  return allocation(curves, at, forecast, target);
}

/** The same share of every group, the least that meets the target. */
export function allocateUniformly(
  curves: readonly RemovalCurve[],
  forecast: SizeForecast,
  target: PruneTarget,
): Allocation {
  let at = curves.map(() => -1);
  for (let share = 0.01; share < 1 && !meets(forecast, target); share += 0.01) {
    const next = curves.map(({ steps, group }) => steps.findLastIndex(step => step <= share * group.size));
    const atoms = curves.flatMap((curve, i) => atomsBetween(curve, at[i]!, next[i]!));
    forecast.remove(atoms);
    if (forecast.empty) {
      forecast.restore(atoms);
      break;
    }
    at = next;
  }
  return allocation(curves, at, forecast, target);
}

function allocation(
  curves: readonly RemovalCurve[],
  at: readonly number[],
  forecast: SizeForecast,
  target: PruneTarget,
): Allocation {
  const selection = new Map<ChannelGroup, readonly number[]>();
  curves.forEach(({ group, order, steps }, i) => {
    if (at[i]! >= 0) selection.set(group, order.slice(0, steps[at[i]!]));
  });
  return { selection, left: sharesOf(forecast), met: meets(forecast, target) };
}

const sharesOf = (forecast: SizeForecast): ModelSize => {
  const now = forecast.now();
  return {
    flops: now.flops / forecast.whole.flops,
    parameters: now.parameters / forecast.whole.parameters,
  };
};

function meets(forecast: SizeForecast, { flops = 1, parameters = 1 }: PruneTarget): boolean {
  const left = sharesOf(forecast);
  return left.flops <= flops + 1e-9 && left.parameters <= parameters + 1e-9;
}

/** What matters for the part of the target that is not met yet. */
function savedBy(
  before: ModelSize,
  forecast: SizeForecast,
  { flops = 1, parameters = 1 }: PruneTarget,
): number {
  const { whole } = forecast;
  const now = forecast.now();
  let saved = 0;
  if (before.flops > flops * whole.flops) saved += (before.flops - now.flops) / whole.flops;
  if (before.parameters > parameters * whole.parameters) {
    saved += (before.parameters - now.parameters) / whole.parameters;
  }
  return saved;
}

const atomsBetween = ({ group, order, steps }: RemovalCurve, from: number, to: number): Label[] =>
  order.slice(steps[from] ?? 0, steps[to] ?? 0).map(channel => group.atoms[channel]!);

/** Steps on the lower convex hull of the curve: the others lose more than going on to the next would. */
function hullSteps({ steps, errors }: RemovalCurve): number[] {
  const hull: number[] = [-1];
  const x = (i: number) => steps[i] ?? 0;
  const y = (i: number) => errors[i] ?? 0;
  steps.forEach((_, i) => {
    while (hull.length > 1) {
      const [a, b] = [hull.at(-2)!, hull.at(-1)!];
      if ((y(b) - y(a)) * (x(i) - x(b)) < (y(i) - y(b)) * (x(b) - x(a))) break;
      hull.pop();
    }
    hull.push(i);
  });
  return hull.slice(1);
}

import type { LogRecord } from '../train/logs/logger.js';
import type { Curve } from './record.js';

/** Points kept of a curve: enough for a plot of a hand's width. */
const POINTS = 48;

/** One line of a training's log, as `jsonLines` writes it. */
export type LogLine = Omit<LogRecord, 'values'> & Readonly<Record<string, unknown>>;

/**
 * Thins a training's log to curves for plots: every evaluation (`test accuracy`), and steps as means over equal spans.
 * @param patterns figures of steps to keep; `*` stands for anything
 */
export function curvesOf(lines: readonly LogLine[], patterns: readonly string[]): Record<string, Curve> {
  const points = new Map<string, [number, number][]>();
  for (const { kind, update, epoch: _, seconds: __, ...values } of lines) {
    for (const [name, value] of Object.entries(values)) {
      if (typeof value !== 'number') continue;
      if (kind === 'step' && !patterns.some(pattern => matches(pattern, name))) continue;
      const key = kind === 'evaluation' ? `test ${name}` : name;
      const curve = points.get(key);
      if (curve) curve.push([update, value]);
      else points.set(key, [[update, value]]);
    }
  }
  return Object.fromEntries([...points].map(([name, curve]) => [name, thin(curve)]));
}

/** Means over equal spans of updates; each stands at the middle of its points. */
function thin(curve: readonly (readonly [number, number])[]): Curve {
  if (curve.length <= POINTS) return curve.map(([update, value]) => [update, rounded(value)]);
  return Array.from({ length: POINTS }, (_, i) => {
    const span = curve.slice(
      Math.floor((i * curve.length) / POINTS),
      Math.floor(((i + 1) * curve.length) / POINTS),
    );
    const middle = mean(span.map(([update]) => update));
    return [rounded(middle), rounded(mean(span.map(([, value]) => value)))] as const;
  });
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Five digits are more than a plot shows. */
const rounded = (value: number): number => Number(value.toPrecision(5));

function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

/** The median time of an update in milliseconds; `undefined` with fewer than two in the log. */
export function medianStep(lines: readonly LogLine[]): number | undefined {
  const steps = lines.filter(({ kind }) => kind === 'step');
  const times = steps
    .slice(1)
    .map((line, i) => (1000 * (line.seconds - steps[i]!.seconds)) / (line.update - steps[i]!.update))
    .sort((a, b) => a - b);
  return times.length === 0 ? undefined : times[Math.floor(times.length / 2)];
}
